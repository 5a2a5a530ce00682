"""The decision of one rank event, from scores to grants, without a model: training takes it, and so does a replay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from triadapt.growth.budget import grants
from triadapt.growth.preview import allowed_matrices, as_published
from triadapt.growth.schedule import is_event
from triadapt.growth.threshold import growth_threshold, matrices_at_or_above

if TYPE_CHECKING:
    from triadapt.config import AllocationConfig


@dataclass(frozen=True)
class GrowthDecision:
    """One growth event. threshold: the score that had to be reached. allowed: matrices that could grow. grants: who
    grows, as `(matrix, ranks gained)`, best first."""

    threshold: float
    allowed: int
    grants: list[tuple[int, int]]

    @property
    def chosen(self) -> tuple[int, ...]:
        """The matrices that grow, best first."""
        return tuple(index for index, _ in self.grants)


NOBODY = GrowthDecision(float("inf"), 0, [])


def event_due(config: AllocationConfig, step: int, total_rank: int, num_matrices: int) -> bool:
    """Whether a growth event happens at `step`: on schedule, and budget left."""
    on_schedule = is_event(step, init_warmup=config.warmup, interval=config.interval)
    return on_schedule and total_rank < config.reference_rank * num_matrices


def growth_decision(
    config: AllocationConfig,
    *,
    step: int,
    scores: NDArray[np.float32],
    ranks: NDArray[np.uint16],
    limits: Sequence[int],
) -> GrowthDecision:
    """Who grows at an event of this run, and by how much. `scores`, `ranks` and `limits` (the smaller side of each
    matrix) are `(n,)`."""
    decide = _published if as_published(config) else _improved
    return decide(config, step, scores, ranks, limits)


def _published(
    config: AllocationConfig,
    step: int,
    scores: NDArray[np.float32],
    ranks: NDArray[np.uint16],
    limits: Sequence[int],
) -> GrowthDecision:
    """The decision of the authors' code: the count is of matrices although each gains `add_r` ranks, and every matrix
    at the threshold grows, so that ties and the last event may pass the target, and a rank the size of its matrix."""
    allowed = allowed_matrices(config, step=step, total_rank=int(ranks.sum()), num_matrices=len(ranks))
    if allowed == 0:
        return NOBODY
    threshold = growth_threshold(scores, allowed)
    chosen = matrices_at_or_above(scores, threshold)
    return GrowthDecision(threshold, allowed, [(index, config.add_r) for index in chosen])


def _improved(
    config: AllocationConfig,
    step: int,
    scores: NDArray[np.float32],
    ranks: NDArray[np.uint16],
    limits: Sequence[int],
) -> GrowthDecision:
    """Matrices already at full size cannot grow; the threshold is taken among the others. Ties at the threshold go to
    the matrix that comes first, and only as many grow as are allowed, so the total never passes the target."""
    n, total = len(ranks), int(ranks.sum())
    open_ones = np.array([ranks[i] < limits[i] for i in range(n)])
    allowed = allowed_matrices(config, step=step, total_rank=total, num_matrices=n)
    allowed = min(allowed, int(open_ones.sum()))
    if allowed == 0:
        return NOBODY
    masked = np.where(open_ones, scores, -np.float32(np.finfo(np.float32).max)).astype(np.float32)
    threshold = growth_threshold(masked, allowed)
    granted = grants(
        matrices_at_or_above(masked, threshold)[:allowed],
        ranks=[int(rank) for rank in ranks],
        limits=limits,
        add_r=config.add_r,
        gap=config.reference_rank * n - total,
    )
    return GrowthDecision(threshold, allowed, granted)


def kept_units(scores: NDArray[np.float32], budget: int) -> tuple[float, NDArray[np.bool_]]:
    """AdaLoRA's mask: the score that had to be passed, and which of the `(u,)` units pass it, as PEFT masks them: those
    at the threshold are pruned, so ties may leave fewer than `budget`."""
    if budget >= len(scores):
        return 0.0, np.ones(len(scores), bool)
    threshold = np.partition(scores, len(scores) - budget - 1)[len(scores) - budget - 1]
    return float(threshold), np.asarray(scores > threshold)
