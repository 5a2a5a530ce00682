"""Tied-LoRA in the contract suite: every letter trained, at rank 4."""

from __future__ import annotations

from typing import Any

from bases import Base
from contract import Contract, everything

from triadapt import TiedLoraConfig
from triadapt.methods.tiedlora.layer import PARTS


def config(base: Base, **values: Any) -> TiedLoraConfig:
    return TiedLoraConfig(**{"target_modules": list(base.targets), "r": 4, "alpha": 8.0, **values})


TIEDLORA = Contract(
    config=config,
    prefix="tiedlora_",
    # The pair stands among the parts of every layer that shares it.
    parts=lambda layer, adapter: everything(layer, adapter, PARTS),
    first=frozenset({"B"}),
    last="v",
    rank=lambda layer, adapter: layer.rank(adapter),
    dropout="dropout",
    other={"r": 3},
    ours=True,
)
