"""The adapted layers of any PEFT model, as the matrices that charts and decisions speak of."""

from __future__ import annotations

from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer

from triadapt.events import Matrix


def adapted_matrices(model: PeftModel, adapter: str = "default") -> list[Matrix]:
    """A `Matrix` for each layer that `adapter` adapts, in the model's order.

    The layer is the first number in the path, 0 where there is none; the module is what follows it.
    """
    matrices = []
    for path, module in model.base_model.model.named_modules():
        if isinstance(module, BaseTunerLayer) and adapter in _adapters(module):
            parts = path.split(".")
            number = next((i for i, part in enumerate(parts) if part.isdecimal()), None)
            inside = path if number is None else ".".join(parts[number + 1 :])
            shape = (int(module.out_features), int(module.in_features))
            matrices.append(Matrix(path, 0 if number is None else int(parts[number]), inside, shape))
    return matrices


def _adapters(layer: BaseTunerLayer) -> set[str]:
    return {name for part in layer.adapter_layer_names for name in getattr(layer, part)}
