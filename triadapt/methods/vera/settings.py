"""Settings of VeRA (arXiv 2310.11454)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from triadapt.config import AllocationConfig


class Settings(BaseModel):
    """VeRA trains two vectors a matrix, between and behind two frozen random matrices that all share."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    unused: ClassVar[tuple[str, ...]] = ("reference_rank", "alpha")
    """Fields of a run that it makes nothing of."""

    rank: int = Field(
        256, ge=1, le=4096, title="VeRA's rank",
        description="Rows of the shared frozen A; a vector of as many entries is trained for each matrix.",
        json_schema_extra={"in_class": 256},
    )  # fmt: skip
    d_initial: float = Field(
        0.1, gt=0, le=10,
        description="What every entry of the vector d between A and B starts with; b, behind B, starts at 0.",
    )  # fmt: skip
    lr_scale: float = Field(
        10.0, gt=0, le=1000, title="VeRA's learning rate, times",
        description="Learning rate of the adapter over that of the run. Vectors need a larger one than matrices.",
    )  # fmt: skip

    def parameters(self, config: AllocationConfig, shapes: Sequence[tuple[int, int]]) -> int:
        """Trainable entries over matrices of `shapes` `(out, in)`: `rank + out` each."""
        return sum(self.rank + out for out, _ in shapes)
