"""The growth event that growing methods share, as training takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from triadapt.growth.decision import growth_decision
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


def decide_growth(
    config: AllocationConfig,
    *,
    step: int,
    scores: NDArray[np.float32],
    ranks: NDArray[np.uint16],
    matrices: list[Matrix],
    rule: str,
) -> tuple[RankDecision, list[tuple[int, int]]]:
    """Take the decision of one growth event: who grows, and by how many ranks each."""
    limits = [min(matrix.shape) for matrix in matrices]
    found = growth_decision(config, step=step, scores=scores, ranks=ranks, limits=limits)
    return RankDecision(rule, scores, found.threshold, found.allowed, found.chosen), found.grants
