"""Settings of the planted-rank task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from triadapt.methods.registry import METHODS

if TYPE_CHECKING:
    from triadapt.config import RunConfig


class Settings(BaseModel):
    """A small frozen transformer and a teacher that differs from it by known low-rank changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    blocks: int = Field(4, ge=1, le=48, description="Transformer blocks; each has six matrices.")
    width: int = Field(64, ge=8, le=2048, description="Model width d.")
    heads: int = Field(4, ge=1, le=64, description="Attention heads; must divide the width.")
    tokens: int = Field(8, ge=1, le=512, description="Sequence length of an input.")
    pool: int = Field(1024, ge=8, le=1_000_000, description="Training inputs; teacher outputs are computed once.")
    held_out: int = Field(128, ge=1, le=100_000, description="Held-out inputs for the metric.")
    planted_fraction: float = Field(0.25, ge=0, le=1, description="Share of the matrices that carry a planted change.")
    planted_rank: int = Field(8, ge=1, le=256, description="Rank of each planted change.")
    strength: float = Field(1.0, gt=0, le=100, description="Spectral norm of a planted change over that of its matrix.")
    noise: float = Field(0.0, ge=0, le=10, description="Standard deviation of noise on the targets.")
    where: Literal["random", "first", "last"] = Field("random", description="Which matrices are planted.")

    def matrix_shapes(self) -> list[tuple[int, int]]:
        """`(out, in)` of the adapted matrices, in the order of the task."""
        d = self.width
        return [(d, d), (d, d), (d, d), (d, d), (2 * d, d), (d, 2 * d)] * self.blocks

    def planted_count(self) -> int:
        """How many matrices carry a planted change."""
        return round(self.planted_fraction * len(self.matrix_shapes()))

    def check(self, config: RunConfig) -> list[str]:
        """One line for each setting that fits no network."""
        lines = []
        if self.width % self.heads:
            fitting = max(heads for heads in range(1, self.heads + 1) if self.width % heads == 0)
            lines.append(
                f"planted.heads = {self.heads}: must divide planted.width ({self.width}); for example {fitting}"
            )
        if config.batch_size > self.pool:
            lines.append(
                f"batch_size = {config.batch_size}: must not be above planted.pool ({self.pool}); "
                f"lower it or raise the pool"
            )
        if config.reference_rank > self.width and METHODS[config.method].rank == "allotted":
            lines.append(
                f"reference_rank = {config.reference_rank}: must not be above planted.width ({self.width}), "
                f"the size of the smallest matrix"
            )
        return lines
