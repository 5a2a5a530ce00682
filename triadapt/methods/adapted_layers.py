"""The adapted layers of any PEFT model, as the matrices that charts and decisions speak of."""

from __future__ import annotations

from collections.abc import Iterable

from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer

from triadapt.events import Matrix

NAMELESS = ("dense", "linear", "proj", "fc")
"""Last parts of a path that say nothing of a place."""


def adapted_matrices(model: PeftModel, adapter: str = "default") -> list[Matrix]:
    """A `Matrix` for each layer that `adapter` adapts, in the model's order.

    The layer is the first number in the path, 0 where there is none; the module is what follows it, as short as it can
    be without meaning two places: `query` for `attention.self.query`, `attention.output` for `attention.output.dense`.
    """
    found = []
    for path, module in model.base_model.model.named_modules():
        if isinstance(module, BaseTunerLayer) and adapter in _adapters(module):
            parts = path.split(".")
            number = next((i for i, part in enumerate(parts) if part.isdecimal()), None)
            inside = path if number is None else ".".join(parts[number + 1 :])
            shape = (int(module.out_features), int(module.in_features))
            found.append((path, 0 if number is None else int(parts[number]), inside, shape))
    called = short_names([inside for _, _, inside, _ in found])
    return [Matrix(path, layer, called[inside], shape) for path, layer, inside, shape in found]


def short_names(paths: Iterable[str]) -> dict[str, str]:
    """For each path its shortest ending, in whole parts, that no other path has; without a last part that says nothing
    where that is enough to tell them apart."""
    whole = list(dict.fromkeys(paths))
    told = {path: path.rpartition(".")[0] if path.rpartition(".")[2] in NAMELESS else path for path in whole}
    if len({short or path for path, short in told.items()}) == len(whole):
        spoken = {path: short or path for path, short in told.items()}
    else:
        spoken = {path: path for path in whole}
    endings = {path: spoken[path].split(".") for path in whole}
    short = {}
    for path, parts in endings.items():
        others = [other for name, other in endings.items() if name != path]
        most = len(parts)
        size = next((n for n in range(1, most) if all(other[-n:] != parts[-n:] for other in others)), most)
        short[path] = ".".join(parts[-size:])
    return short


def _adapters(layer: BaseTunerLayer) -> set[str]:
    return {name for part in layer.adapter_layer_names for name in getattr(layer, part)}
