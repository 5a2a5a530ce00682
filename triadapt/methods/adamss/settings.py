"""Settings of AdaMSS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from triadapt.growth.preview import Preview, shapes_of
from triadapt.methods.adamss.plan import plan
from triadapt.methods.host_limits import no_dropout, no_four_bit

if TYPE_CHECKING:
    from triadapt.config import AllocationConfig

MOST_COMPONENTS = 100


class Settings(BaseModel):
    """AdaMSS divides the outputs of a matrix into subspaces, trains a small product in each, and freezes those that
    matter least."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    may_change: ClassVar[tuple[str, ...]] = ("importance_beta", "uncertainty_beta", "lr_scale")
    """Fields after a change of which a checkpoint still fits: those that its schedule does not depend on, for that
    counts what may still train from the start of the run."""

    components: int = Field(
        0, ge=0, le=4096, title="AdaMSS's components",
        description="Singular vectors of the frozen weight that all subspaces read; 0: as many as the smallest matrix "
        "has, at most 100.",
        json_schema_extra={"in_class": 128},
    )  # fmt: skip
    subspaces: int = Field(
        5, ge=1, le=256, title="AdaMSS's subspaces",
        description="Groups into which k-means divides the outputs of a matrix.",
        json_schema_extra={"in_class": 16},
    )  # fmt: skip
    subspace_rank: int = Field(
        1, ge=1, le=64, title="AdaMSS's rank a subspace",
        description="Rank of what is trained in a subspace; one that k-means gives fewer outputs has that many ranks.",
        json_schema_extra={"in_class": 8},
    )  # fmt: skip
    adaptive: bool = Field(
        True, title="AdaMSS freezes subspaces",
        description="Subspaces with the least importance are frozen until the budget of ranks is left to train.",
    )  # fmt: skip
    final_share: float = Field(
        0.25, ge=0, lt=1, title="AdaMSS's final share",
        description="Share of the steps at the end with nothing frozen any more; 0: none.",
        json_schema_extra={"control": {"high": 0.99, "step": 0.05}},
    )  # fmt: skip
    importance_beta: float = Field(0.85, gt=0, lt=1, description="Moving average of the importance.")
    uncertainty_beta: float = Field(0.85, gt=0, lt=1, description="Moving average of its uncertainty.")
    schedule_exponent: float = Field(
        3.0, gt=0, le=10, description="Decay from all subspaces to the budget: 1 is linear, more freezes sooner."
    )
    lr_scale: float = Field(
        1.0, gt=0, le=1000, title="AdaMSS's learning rate, times",
        description="Learning rate of the adapter over that of the run.",
    )  # fmt: skip

    @property
    def unused(self) -> tuple[str, ...]:
        """Fields of a run that it makes nothing of: its scale is 1, and where nothing is frozen there is no
        schedule and no budget."""
        own = ("final_share", "importance_beta", "uncertainty_beta", "schedule_exponent")
        of_freezing = ("reference_rank", "warmup", "interval", *(f"adamss.{name}" for name in own))
        return ("alpha", *(of_freezing if not self.adaptive else ()))

    def components_of(self, shapes: Sequence[tuple[int, int]]) -> int:
        """Components that are asked for over matrices of `shapes` `(out, in)`; a smaller matrix gives what it has."""
        return self.components or min(MOST_COMPONENTS, *(min(shape) for shape in shapes))

    def parameters(self, config: AllocationConfig, shapes: Sequence[tuple[int, int]]) -> int:
        """Trainable entries over matrices of `shapes` `(out, in)` before any is frozen: `K r R + out r` each, with K
        subspaces of rank r over R components. It is so many at `r = 1`, and at most so many above it: a subspace that
        k-means gives fewer outputs than r has one rank an output."""
        components, total = self.components_of(shapes), 0
        for out, wide in shapes:
            total += self.subspace_rank * (self.subspaces * min(components, out, wide) + out)
        return total

    def misfits(self, shapes: Sequence[tuple[int, int]]) -> list[str]:
        """A line where matrices of `shapes` `(out, in)` have no room for so many subspaces, or not for their rank."""
        fewest = min(out for out, _ in shapes)
        if self.subspaces > fewest:
            return [
                f"adamss.subspaces = {self.subspaces}: must not be above {fewest}, the outputs of the smallest adapted "
                f"matrix"
            ]
        room = min(fewest // self.subspaces, *(min(shape) for shape in shapes))
        if self.subspace_rank > room:
            return [
                f"adamss.subspace_rank = {self.subspace_rank}: must not be above {room}, what each of "
                f"{self.subspaces} subspaces can have of a matrix with {fewest} outputs; lower it or adamss.subspaces"
            ]
        return []

    def check(self, config: AllocationConfig) -> list[str]:
        """Lines for a schedule without steps to freeze in, for ranks that cannot be had, and for what PEFT's AdaMSS
        cannot."""
        lines = no_dropout(config, "AdaMSS") + no_four_bit(config, "AdaMSS")
        if 0 < self.components < self.subspace_rank:
            lines.append(
                f"adamss.components = {self.components}: must not be below adamss.subspace_rank "
                f"({self.subspace_rank}), for subspaces have no more ranks than they read; 0 takes all there are"
            )
        shapes = shapes_of(config)
        lines += self.misfits(shapes) if shapes else []
        final = config.steps - round(self.final_share * config.steps)
        if self.adaptive and config.warmup >= final:
            lines.append(
                f"warmup = {config.warmup}: AdaMSS freezes nothing from step {final} on (steps and "
                f"adamss.final_share), which leaves no step to freeze in; must be below {final}"
            )
        return lines

    def preview(self, config: AllocationConfig, num_matrices: int, after: int = -1) -> Preview:
        """What the schedule will do over so many matrices, after step `after`; ranks above one a subspace are the most
        there can be (see `parameters`)."""
        return plan(config, num_matrices, after)
