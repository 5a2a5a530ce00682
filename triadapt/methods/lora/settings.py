"""Settings of plain LoRA: its rank is the reference rank, where it is an oracle's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from triadapt.config import AllocationConfig

UNKNOWN = "lora.where = 'planted': only the planted task knows where rank is needed; use even"


class Settings(BaseModel):
    """LoRA gives every matrix the same rank; as an oracle, it is told which need any."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    where: Literal["even", "planted"] = Field(
        "even",
        title="LoRA's ranks",
        description="even: the same rank for every matrix; planted: the whole budget on the matrices that carry a "
        "planted change, which is the answer that adaptive methods look for and no method that one can use.",
        json_schema_extra={"word": "ranks where"},
    )

    @property
    def is_oracle(self) -> bool:
        """Whether it is told what no method can know."""
        return self.where == "planted"

    def check(self, config: AllocationConfig) -> list[str]:
        """One line where nobody knows which matrices need rank, or none does."""
        task = getattr(config, "task", None)  # what decides about rank alone has none
        if self.where == "even" or task is None:
            return []
        if task != "planted":
            return [UNKNOWN]
        if not _planted(config).planted_count():
            share = _planted(config).planted_fraction
            return [f"lora.where = 'planted': planted.planted_fraction = {share} plants nothing; raise it or use even"]
        return []

    def carriers(self, config: AllocationConfig, matrices: int) -> int:
        """How many of so many matrices get rank."""
        known = self.where == "planted" and getattr(config, "task", None) == "planted"
        return int(_planted(config).planted_count()) if known else matrices

    def start_total(self, config: AllocationConfig, matrices: int) -> int:
        """Total rank over so many matrices: the budget, or what fits on those that get any."""
        budget = config.reference_rank * matrices
        carriers = self.carriers(config, matrices)
        return budget if carriers == matrices else min(budget, carriers * int(_planted(config).width))


def _planted(config: AllocationConfig) -> Any:
    """The section of the planted task."""
    return getattr(config, "planted")  # noqa: B009  (an AllocationConfig has none)
