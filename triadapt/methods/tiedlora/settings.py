"""Settings of Tied-LoRA (arXiv 2311.09578)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from triadapt.methods.tiedlora.counting import trained_entries

if TYPE_CHECKING:
    from triadapt.config import AllocationConfig

Trains = Literal[
    "vBuA", "vBu", "vBA", "vuA", "BuA", "vB", "vu", "vA", "Bu", "BA", "uA", "v", "B", "u", "A"
]  # fmt: skip


class Settings(BaseModel):
    """Tied-LoRA shares one pair of factors among all matrices of a shape; each has two scaling vectors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    may_change: ClassVar[tuple[str, ...]] = ("lr_scale",)
    """Fields after a change of which a checkpoint still fits."""

    rank: int = Field(
        0, ge=0, le=4096, title="Tied-LoRA's rank",
        description="Rank of the shared pair; 0 is the reference rank. As the pair is shared, it may be much larger.",
        json_schema_extra={"in_class": 64},
    )  # fmt: skip
    trains: Trains = Field(
        "vBuA", title="Tied-LoRA trains",
        description="What is trained of dW = s diag(v) B diag(u) A; the rest is frozen. B and A are shared by the "
        "matrices of a shape, v and u are each matrix's own. vBuA trains everything, vu is VeRA's choice, BA is LoRA "
        "with tied weights.",
    )  # fmt: skip
    lr_scale: float = Field(
        1.0, gt=0, le=1000, title="Tied-LoRA's learning rate, times",
        description="Learning rate of the adapter over that of the run. Configurations that train vectors alone need "
        "more than those that train B.",
        json_schema_extra={"control": {"low": 0.1, "step": 0.5}},
    )  # fmt: skip

    def rank_of(self, config: AllocationConfig) -> int:
        """Rank of every pair."""
        return self.rank or config.reference_rank

    def parameters(self, config: AllocationConfig, shapes: Sequence[tuple[int, int]]) -> int:
        """Trainable entries of the adapter over matrices of `shapes`, each `(out, in)`."""
        return trained_entries(self.trains, self.rank_of(config), shapes)
