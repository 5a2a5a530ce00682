"""Settings of SURM (arXiv 2406.17740)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from triadapt.methods.surm.sizes import Structure, part_count


class Settings(BaseModel):
    """SURM adds a structured matrix, which few numbers fill and whose rank may be full, instead of a product."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    may_change: ClassVar[tuple[str, ...]] = ("lr_scale",)
    """Fields after a change of which a checkpoint still fits."""

    structure: Structure = Field(
        "displacement", title="SURM's structure",
        description="kronecker: P ⊗ Q; circulant: every column is the one before, turned by one; toeplitz: symmetric, "
        "equal along diagonals; displacement: sums of circulant times skew-circulant.",
    )  # fmt: skip
    displacement_rank: int = Field(
        1, ge=1, le=64, title="SURM's displacement rank", description="displacement: how many products are summed.",
        json_schema_extra={"in_class": 16},
    )  # fmt: skip
    factor: int = Field(
        0, ge=0, le=4096, title="SURM's Kronecker factor",
        description="kronecker: rows and columns of P, where they divide those of dW; 0: near the square roots.",
    )  # fmt: skip
    lr_scale: float = Field(
        1.0, gt=0, le=1000, title="SURM's learning rate, times",
        description="Learning rate of the adapter over that of the run.",
        json_schema_extra={"control": {"low": 0.01, "high": 1000.0, "step": 0.1}},
    )  # fmt: skip

    @property
    def unused(self) -> tuple[str, ...]:
        """Fields of a run that it makes nothing of, but for the scale: the reference rank, and what belongs to another
        structure."""
        own = {"displacement_rank": "displacement", "factor": "kronecker"}
        return ("reference_rank", *(f"surm.{name}" for name, of in own.items() if of != self.structure))

    def parameters(self, config: Any, shapes: Sequence[tuple[int, int]]) -> int:
        """Trainable adapter entries over `shapes`, each `(out, in)`."""
        return sum(
            part_count(self.structure, out, features, self.displacement_rank, self.factor) for out, features in shapes
        )
