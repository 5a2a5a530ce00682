"""Configuration of the TriAdaptLoRA tuner (arXiv 2501.08008)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from peft.utils import PeftType

from triadapt.methods.tuner_config import GrowingConfig


@dataclass
class TriAdaptLoraConfig(GrowingConfig):
    """Configuration of a `TriAdaptLoraModel`: the update of a layer is `alpha / reference_rank * B (L + U) A`.

    See `GrowingConfig` for the other fields.

    Args:
        init: values of a new block. `identity`: B = 0, its diagonal block of L is I, the rest of L and U is 0; growth
            leaves the function unchanged and has a gradient. `eye`, `zero_core` and `gaussian` are the authors': B = 0
            and an identity in the first columns of L and the first rows of U; L and U 0, A and B drawn; everything
            drawn (but for B at the start), where growth changes the function. `zero` is published too and cannot
            learn: B, L and U are 0, so every gradient is; it is here to be seen failing.
        scale: also `blocks`, the number of blocks plus 1e-5.
    """

    init: str = field(default="identity", metadata={"help": "identity, eye, zero_core, gaussian or zero."})
    SCALES: ClassVar[tuple[str, ...]] = ("constant", "rank", "blocks")
    INITS: ClassVar[tuple[str, ...]] = ("identity", "eye", "zero_core", "gaussian", "zero")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_one_of("init", self.INITS)
        self.peft_type = PeftType.TRIADAPTLORA
