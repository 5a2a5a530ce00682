"""Configuration of the TriAdaptLoRA tuner (arXiv 2501.08008)."""

from __future__ import annotations

from dataclasses import dataclass

from peft.utils import PeftType

from triadapt.methods.tuner_config import GrowingConfig


@dataclass
class TriAdaptLoraConfig(GrowingConfig):
    """Configuration of a `TriAdaptLoraModel`: the update of a layer is `alpha / reference_rank * B (L + U) A`.

    See `GrowingConfig` for the fields.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type = PeftType.TRIADAPTLORA
