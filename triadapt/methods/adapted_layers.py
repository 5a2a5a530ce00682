"""The adapted layers of any PEFT model, as the matrices that charts and decisions speak of."""

from __future__ import annotations

from collections.abc import Iterable

from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer

from triadapt.events import Matrix

NAMELESS = ("dense", "linear", "proj", "fc")
"""Last parts of a path that say nothing of a place."""
SPOKEN = {"attention": "attn", "self_attn": "attn", "output": "out", "intermediate": "inter"}


def adapted_matrices(model: PeftModel, adapter: str = "default") -> list[Matrix]:
    """A `Matrix` for each layer that `adapter` adapts, in the model's order.

    The layer is the first number in the path, 0 where there is none; the module is what follows it, as short as it can
    be without meaning two places: `query` for `attention.self.query`, `attn.out` for `attention.output.dense`, `q` for
    `q_proj`.
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
    """For each path the shortest name that no other has: its ending in whole parts, said as people say it where that is
    enough to tell all apart."""
    whole = list(dict.fromkeys(paths))
    spoken = {path: [_spoken(part) for part in _telling(path.split("."))] for path in whole}
    if len({".".join(parts) for parts in spoken.values()}) < len(whole):
        spoken = {path: path.split(".") for path in whole}
    short = {}
    for path, parts in spoken.items():
        others = [other for name, other in spoken.items() if name != path]
        sizes = range(1, len(parts))
        size = next((n for n in sizes if all(other[-n:] != parts[-n:] for other in others)), len(parts))
        short[path] = ".".join(parts[-size:])
    return short


def _telling(parts: list[str]) -> list[str]:
    return parts[:-1] if len(parts) > 1 and parts[-1] in NAMELESS else parts


def _spoken(part: str) -> str:
    return SPOKEN.get(part) or (part.removesuffix("_proj") if part not in ("_proj", "c_proj") else part)


def _adapters(layer: BaseTunerLayer) -> set[str]:
    return {name for part in layer.adapter_layer_names for name in getattr(layer, part)}
