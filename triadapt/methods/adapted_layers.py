"""The adapted layers of any PEFT model, as the matrices that charts and decisions speak of."""

from __future__ import annotations

from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer

from triadapt.events import Matrix
from triadapt.methods.places import places


def adapted_matrices(model: PeftModel, adapter: str = "default") -> list[Matrix]:
    """A `Matrix` for each layer that `adapter` adapts, in the model's order, placed as `places.places` says."""
    found = {
        path: (int(module.out_features), int(module.in_features))
        for path, module in model.base_model.model.named_modules()
        if isinstance(module, BaseTunerLayer) and adapter in adapters_of(module)
    }
    return [
        Matrix(path, layer, module, shape)
        for (path, shape), (layer, module) in zip(found.items(), places(list(found)), strict=True)
    ]


def adapters_of(layer: BaseTunerLayer) -> set[str]:
    """Names of the adapters that an adapted layer has."""
    return {name for part in layer.adapter_layer_names for name in getattr(layer, part)}
