"""Settings of LoHa, the low-rank Hadamard product of FedPara (arXiv 2108.06098)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from triadapt.methods.host_limits import no_dropout, no_four_bit

if TYPE_CHECKING:
    from triadapt.config import AllocationConfig


class Settings(BaseModel):
    """LoHa multiplies two products of rank r entry by entry, which reaches rank r² with the entries of rank 2r."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    rank: int = Field(
        0, ge=0, le=256, title="LoHa's rank",
        description="Rank of each of the two products; 0: the budget, reference_rank.",
        json_schema_extra={"in_class": 16},
    )  # fmt: skip
    lr_scale: float = Field(
        1.0, gt=0, le=1000, title="LoHa's learning rate, times",
        description="Learning rate of the adapter over that of the run.",
    )  # fmt: skip

    def rank_of(self, config: AllocationConfig) -> int:
        """Rank of each of the two products in this run."""
        return self.rank or config.reference_rank

    def parameters(self, config: AllocationConfig, shapes: Sequence[tuple[int, int]]) -> int:
        """Trainable entries over matrices of `shapes` `(out, in)`: `2 r (in + out)` each."""
        return sum(2 * self.rank_of(config) * (out + wide) for out, wide in shapes)

    def check(self, config: AllocationConfig) -> list[str]:
        """A line for what PEFT's LoHa cannot."""
        return no_dropout(config, "LoHa") + no_four_bit(config, "LoHa")
