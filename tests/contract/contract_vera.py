"""VeRA under the contract: PEFT's, of a fixed size."""

from typing import Any

from bases import Base
from contract import Contract, everything
from peft import VeraConfig


def config(base: Base, **values: Any) -> Any:
    shared = {"target_modules": list(base.targets), "fan_in_fan_out": base.fan_in_fan_out}
    return VeraConfig(**{**shared, "r": 6, **values})


CONTRACT = Contract(
    config=config,
    prefix="vera_lambda_",
    parts=lambda layer, adapter: everything(layer, adapter, {part: f"vera_lambda_{part}" for part in "bd"}),
    first=frozenset({"b"}),
    last="b",
    rank=lambda layer, adapter: layer.r[adapter],
    dropout="vera_dropout",
    # PEFT: a second adapter shares A and B of the first, so it has its rank.
    other={"d_initial": 0.5},
    limits={
        "test_an_adapter_for_inference_over_bfloat16_trains_nothing": "PEFT: what it casts it also trains",
    },
)
