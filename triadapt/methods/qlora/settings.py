"""Settings of QLoRA (arXiv 2305.14314)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from triadapt.config import AllocationConfig


class Settings(BaseModel):
    """QLoRA holds the weights that it adapts in 4 bits and trains LoRA over them, at the reference rank."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    quant_type: Literal["nf4", "fp4"] = Field(
        "nf4", title="QLoRA's 4 bits",
        description="nf4: 16 levels as normally distributed weights need them; fp4: a float of 4 bits. A base that is "
        "in 4 bits already stays as it is.",
    )  # fmt: skip
    double_quant: bool = Field(
        True, title="QLoRA quantizes twice",
        description="Also the scales of the blocks, one for 64 weights, are held in 8 bits.",
    )  # fmt: skip
    lr_scale: float = Field(
        1.0, gt=0, le=1000, description="Learning rate of the adapter over that of the run.",
    )  # fmt: skip

    def parameters(self, config: AllocationConfig, shapes: Sequence[tuple[int, int]]) -> int:
        """Trainable entries over matrices of `shapes` `(out, in)`: LoRA's, `r (in + out)` each."""
        return sum(config.reference_rank * (out + wide) for out, wide in shapes)
