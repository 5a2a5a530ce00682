"""The growth event that growing methods share: threshold, choice, grants, budget in ranks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from triadapt.growth import growth_threshold, is_event, matrices_at_or_above
from triadapt.growth.budget import grants
from triadapt.growth.preview import allowed_matrices
from triadapt.methods.interface import RankDecision

if TYPE_CHECKING:
    from triadapt.config import AllocationConfig
    from triadapt.events import Matrix


def check_finite(scores: NDArray[np.float32], matrices: list[Matrix], step: int) -> None:
    """Raises ValueError naming the first matrix whose importance is not a number."""
    bad = np.flatnonzero(~np.isfinite(scores))
    if len(bad):
        raise ValueError(
            f"the importance of {matrices[bad[0]].name} is {scores[bad[0]]} at step {step}: training has diverged; "
            f"lower learning_rate or alpha"
        )


def event_due(config: AllocationConfig, step: int, total_rank: int, num_matrices: int) -> bool:
    """Whether a growth event happens at `step`: on schedule, and budget left."""
    on_schedule = is_event(step, init_warmup=config.warmup, interval=config.interval)
    return on_schedule and total_rank < config.reference_rank * num_matrices


def decide_as_published(
    config: AllocationConfig,
    *,
    step: int,
    scores: NDArray[np.float32],
    ranks: NDArray[np.uint16],
    matrices: list[Matrix],
    rule: str,
) -> tuple[RankDecision, list[tuple[int, int]]]:
    """The decision of the authors' code: the count is of matrices although each gains `add_r` ranks, and every matrix
    at the threshold grows, so that ties and the last event may pass the target, and a rank the size of its matrix."""
    total = int(ranks.sum())
    allowed = allowed_matrices(config, step=step, total_rank=total, num_matrices=len(matrices))
    if allowed == 0:
        return RankDecision(rule, scores, float("inf"), 0, ()), []
    threshold = growth_threshold(scores, allowed)
    chosen = matrices_at_or_above(scores, threshold)
    return RankDecision(rule, scores, threshold, allowed, tuple(chosen)), [(index, config.add_r) for index in chosen]


def decide_growth(
    config: AllocationConfig,
    *,
    step: int,
    scores: NDArray[np.float32],
    ranks: NDArray[np.uint16],
    matrices: list[Matrix],
    rule: str,
) -> tuple[RankDecision, list[tuple[int, int]]]:
    """Take the decision of one growth event: who grows, and by how many ranks each.

    Matrices already at full size cannot grow; the threshold is taken among the others. Ties at the threshold go to the
    matrix that comes first, and only as many grow as are allowed, so the total never passes the target.
    """
    n = len(matrices)
    total = int(ranks.sum())
    limits = [min(matrix.shape) for matrix in matrices]
    open_ones = np.array([ranks[i] < limits[i] for i in range(n)])
    allowed = allowed_matrices(config, step=step, total_rank=total, num_matrices=n)
    allowed = min(allowed, int(open_ones.sum()))
    if allowed == 0:
        return RankDecision(rule, scores, float("inf"), 0, ()), []
    masked = np.where(open_ones, scores, -np.float32(np.finfo(np.float32).max)).astype(np.float32)
    threshold = growth_threshold(masked, allowed)
    candidates = matrices_at_or_above(masked, threshold)[:allowed]
    granted = grants(
        candidates,
        ranks=[int(rank) for rank in ranks],
        limits=limits,
        add_r=config.add_r,
        gap=config.reference_rank * n - total,
    )
    return RankDecision(rule, scores, threshold, allowed, tuple(index for index, _ in granted)), granted
