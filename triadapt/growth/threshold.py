"""Importance of a matrix, and the score it must reach to grow."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def normalized_frobenius(core: ArrayLike, num_blocks: int) -> float:
    """Frobenius norm of the transformation matrix `L + U`, `(r, r)`, over the number of blocks grown so far."""
    if num_blocks < 1:
        raise ValueError(f"num_blocks = {num_blocks}: a matrix has at least one block")
    return float(np.linalg.norm(np.asarray(core, dtype=np.float64)) / num_blocks)


def growth_threshold(scores: ArrayLike, k: int) -> float:
    """The k-th largest score; a matrix grows when its score is at or above it.

    `scores` is `(n,)`, `1 <= k <= n`. Raises ValueError otherwise, and for scores that are not finite.
    """
    values = np.asarray(scores, dtype=np.float32)
    if not 1 <= k <= len(values):
        raise ValueError(f"k = {k}: must be between 1 and the number of matrices ({len(values)})")
    if not np.isfinite(values).all():
        bad = int(np.flatnonzero(~np.isfinite(values))[0])
        raise ValueError(f"the importance of matrix {bad} is {values[bad]}: training has diverged; lower learning_rate")
    return float(np.partition(values, -k)[-k])


def matrices_at_or_above(scores: ArrayLike, threshold: float) -> list[int]:
    """Indices of the scores that reach the threshold, best first; equal scores in the order of the matrices."""
    values = np.asarray(scores, dtype=np.float32)
    order = np.argsort(-values, kind="stable")
    return [int(index) for index in order if values[index] >= np.float32(threshold)]
