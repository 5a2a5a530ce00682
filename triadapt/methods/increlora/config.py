"""Configuration of the IncreLoRA tuner (arXiv 2308.12043)."""

from __future__ import annotations

from dataclasses import dataclass, field

from peft.utils import PeftType

from triadapt.methods.tuner_config import GrowingConfig


@dataclass
class IncreLoraConfig(GrowingConfig):
    """Configuration of an `IncreLoraModel`: the update of a layer is `alpha / reference_rank * B diag(E) A`.

    Beside the triplets in use, each matrix carries `add_r` reserve triplets whose A and B train while their E is frozen
    at 1e-5 (advance learning). See `GrowingConfig` for the other fields.

    Args:
        advance_learning: whether reserve triplets train before they are granted.
    """

    advance_learning: bool = field(default=True, metadata={"help": "Train reserve triplets before they are granted."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = PeftType.INCRELORA
