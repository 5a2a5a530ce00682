"""The linear layers of a loaded model, with the short names the charts use."""

from __future__ import annotations

from typing import Any

from torch import nn
from transformers.pytorch_utils import Conv1D

from triadapt.events import Matrix
from triadapt.pretrained.adapt import chosen
from triadapt.pretrained.places import Place, in_order, place_of


def model_places(model: nn.Module, inside: str = "") -> list[Place]:
    """Every linear layer in the numbered blocks of the submodule `inside` (the whole model, if empty), by layer, then
    attention before feed-forward, then others. Raises ValueError when there is none."""
    prefix = f"{inside}." if inside else ""
    found = []
    for path, layer in model.get_submodule(inside).named_modules():
        place = place_of(path) if isinstance(layer, nn.Linear | Conv1D) else None
        if place is None:
            continue  # projections outside the blocks, such as a pooler
        found.append(Place(prefix + path, *place, _shape(layer)))
    if not found:
        raise ValueError("the model has no linear layer inside numbered blocks, so there is nothing to adapt")
    return in_order(found)


def adapted(model: nn.Module, inside: str, adapt: str, field: str) -> list[Matrix]:
    """Those that the setting `adapt` names, as matrices of a run. Raises ConfigError where it names none."""
    places = chosen(model_places(model, inside), adapt, field)
    return [Matrix(place.name, place.layer, place.module, place.shape) for place in places]


def _shape(layer: Any) -> tuple[int, int]:
    if isinstance(layer, Conv1D):
        return int(layer.nf), int(layer.nx)
    return int(layer.out_features), int(layer.in_features)
