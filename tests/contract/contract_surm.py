"""SURM in the contract suite: a product of circulants, and beside it a second adapter of another structure."""

from __future__ import annotations

from typing import Any

import torch
from bases import Base
from contract import Contract, Parts

from triadapt import SurmConfig


def config(base: Base, **values: Any) -> Any:
    shared = {"target_modules": list(base.targets), "structure": "displacement", "alpha": 2.0}
    return SurmConfig(**{**shared, **values})


def parts(layer: Any, adapter: str) -> Parts:
    return {name: (part, torch.ones_like(part, dtype=torch.bool)) for name, part in layer.parts(adapter).items()}


CONTRACT = Contract(
    config=config,
    prefix="surm_",
    parts=parts,
    first=frozenset({"h"}),
    last="h",
    rank=lambda layer, adapter: layer.parameter_count(adapter),
    dropout="dropout",
    other={"structure": "kronecker"},
    ours=True,
)
