"""LoHa under the contract: PEFT's, of a fixed size, ranks 1 to 4 in turn."""

import re
from typing import Any

from bases import Base
from contract import Contract, everything
from peft import LoHaConfig

PARTS = ("w1_a", "w1_b", "w2_a", "w2_b")


def config(base: Base, **values: Any) -> Any:
    pattern = {f"^{re.escape(name)}": 1 + index % 4 for index, name in enumerate(base.target_names())}
    return LoHaConfig(**{"target_modules": list(base.targets), "r": 4, "rank_pattern": pattern, **values})


CONTRACT = Contract(
    config=config,
    prefix="hada_",
    parts=lambda layer, adapter: everything(layer, adapter, {part: f"hada_{part}" for part in PARTS}),
    first=frozenset({"w2_b"}),
    last="w2_b",
    rank=lambda layer, adapter: layer.hada_w1_b[adapter].shape[0],
    dropout="rank_dropout",
    other={"r": 5, "rank_pattern": {}},
    uneven=True,
    limits={
        "test_an_adapter_for_inference_over_bfloat16_trains_nothing": "PEFT: what it casts it also trains",
        "gpt2": "PEFT: LoHa adapts Linear layers, not Conv1D",
        "four_bit": "PEFT: LoHa takes the packed bytes of 4-bit weights for the weight",
    },
)
