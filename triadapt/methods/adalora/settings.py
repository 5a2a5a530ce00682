"""Settings of AdaLoRA (arXiv 2303.10512)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from triadapt.config import AllocationConfig


class Settings(BaseModel):
    """AdaLoRA starts at `init_rank_ratio` times the reference rank and prunes down to it."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    may_change: ClassVar[tuple[str, ...]] = ("final_share", "beta1", "beta2", "orthogonality")
    """Fields after a change of which a checkpoint still fits."""

    init_rank_ratio: float = Field(
        1.5, gt=1, le=256, title="AdaLoRA starts at", description="Start rank over budget; above 1.",
        json_schema_extra={"control": {"low": 1.01, "high": 64.0, "step": 0.1}, "in_class": 8},
    )  # fmt: skip
    final_share: float = Field(
        0.25, ge=0, lt=1, title="AdaLoRA's final share",
        description="Share of the steps at the end with the budget fixed; 0: none.",
        json_schema_extra={"control": {"high": 0.99, "step": 0.05}},
    )  # fmt: skip
    beta1: float = Field(0.85, gt=0, lt=1, description="Moving average of the sensitivity.")
    beta2: float = Field(0.85, gt=0, lt=1, description="Moving average of the uncertainty.")
    orthogonality: float = Field(0.1, ge=0, description="Coefficient of the orthogonality term, training only.")

    def check(self, config: AllocationConfig) -> list[str]:
        """One line when the schedule leaves AdaLoRA no steps to prune in."""
        final = config.steps - round(self.final_share * config.steps)
        if config.warmup < final:
            return []
        return [
            f"warmup = {config.warmup}: AdaLoRA's budget is final from step {final} on "
            f"(steps and adalora.final_share), which leaves no step to prune in; must be below {final}"
        ]
