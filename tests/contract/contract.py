"""What the suite has to know of a method, so that one set of tests holds all of them to the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from peft import PeftModel

STEPS = 6
"""Steps that `trained` takes."""

Parts = dict[str, tuple[torch.Tensor, torch.Tensor]]


def nothing(model: PeftModel, adapter: str, step: int, optimizer: Any, fresh: Any) -> None:
    """What a method of a fixed size does after a step."""


@dataclass(frozen=True)
class Contract:
    """One method in the suite.

    config: a PEFT configuration for a base; further values are fields of the method's own configuration class.
    parts: of a layer and an adapter, by name: each trainable parameter and a mask of the entries that act.
    first: names of the parts that have a gradient at the very first step; the others start behind a zero.
    last: name of a part that dW is linear in; every layer has one, or several whose names begin so.
    rank: the rank of an adapter in a layer; where a method has none, any number above 0 that a saved adapter keeps.
    dropout: field of the configuration for dropout in the adapter; empty if it has none.
    other: values of a second adapter that differs from the first in size.
    after_step: called after each optimizer step of `trained`.
    ours: whether the tuner is this package's, so that what PEFT does not promise holds too.
    grows: whether its ranks grow.
    uneven: whether `trained` gives matrices different ranks.
    limits: what it cannot, with the reason: the name of a test, of a base, `four_bit` for all tests over four bits, or
    `low_cpu_mem_usage`. A reason begins with whose limit it is, such as `PEFT: `.
    quantize: how the method itself brings layers into 4 bits, of a model, their names' endings, the kind (nf4, fp4),
    and whether twice; such a method is held to what holds over four bits, and its tuner to the rest under another name.
    """

    config: Callable[..., Any]
    prefix: str
    parts: Callable[[Any, str], Parts]
    first: frozenset[str]
    last: str
    rank: Callable[[Any, str], int]
    dropout: str
    other: dict[str, Any]
    after_step: Callable[[PeftModel, str, int, Any, Any], None] = nothing
    ours: bool = False
    grows: bool = False
    uneven: bool = False
    limits: dict[str, str] = field(default_factory=dict)
    quantize: Callable[[Any, Sequence[str], str, bool], None] | None = None


def everything(layer: Any, adapter: str, names: dict[str, str]) -> Parts:
    """Parts that act as a whole: of a layer's dicts of parameters `names`, by the short names they are to have."""
    found = {}
    for short, name in names.items():
        held = getattr(layer, name)[adapter]
        parameter = held if isinstance(held, torch.Tensor) else held.weight
        found[short] = (parameter, torch.ones_like(parameter, dtype=torch.bool))
    return found
