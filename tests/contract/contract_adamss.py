"""AdaMSS under the contract: PEFT's, with PEFT's own freezing of subspaces in the steps of `trained`."""

from typing import Any

import torch
from bases import Base
from contract import Contract, Parts
from peft import AdamssConfig, PeftModel

SUBSPACES = 3


def config(base: Base, **values: Any) -> Any:
    """Freezes at steps 2 and 4; about half of the subspaces are left."""
    own = {
        "r": 8, "num_subspaces": SUBSPACES, "use_asa": True, "init_warmup": 0, "final_warmup": 4, "mask_interval": 2,
        "asa_target_subspaces": len(base.target_names()) * SUBSPACES // 2,
    }  # fmt: skip
    return AdamssConfig(**{"target_modules": list(base.targets), **own, **values})


def parts(layer: Any, adapter: str) -> Parts:
    pairs = zip(layer.adamss_A[adapter], layer.adamss_B[adapter], strict=True)
    named = [(f"{name}{place}", p) for place, pair in enumerate(pairs) for name, p in zip("AB", pair, strict=True)]
    return {name: (p, torch.ones_like(p, dtype=torch.bool)) for name, p in named}


def freeze(model: PeftModel, adapter: str, step: int, optimizer: Any, fresh: Any) -> None:
    tuner: Any = model.base_model
    tuner.update_and_allocate(step)


CONTRACT = Contract(
    config=config,
    prefix="adamss_",
    parts=parts,
    first=frozenset(f"B{place}" for place in range(SUBSPACES)),
    last="B",
    rank=lambda layer, adapter: sum(len(A) for A in layer.adamss_A[adapter]),
    dropout="",
    other={"subspace_rank": 2},
    after_step=freeze,
    limits={
        "gpt2": "PEFT: AdaMSS adapts Linear layers, not Conv1D",
        "four_bit": "PEFT: AdaMSS takes the packed bytes of 4-bit weights for the weight",
        "test_dropout_is_active_in_training_only": "PEFT: AdaMSS has no dropout",
    },
)
