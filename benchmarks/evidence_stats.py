"""Two statistics: an interval for paired differences, and the area under the ROC curve."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

# Student's t, 97.5 % quantile, for 1 to 10 degrees of freedom; above, the expansion below is exact to 0.001.
QUANTILES = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
NORMAL = 1.959964


def t_quantile(degrees: int) -> float:
    """97.5 % quantile of Student's t."""
    if degrees < 1:
        raise ValueError(f"degrees = {degrees}: an interval needs at least two values")
    if degrees <= len(QUANTILES):
        return QUANTILES[degrees - 1]
    z = NORMAL
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / degrees + second / degrees**2 + third / degrees**3


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean of `values` and its 95 % t interval: mean, low, high. Without a spread to see (one value), both are NaN."""
    array = np.asarray(values, dtype=np.float64)
    if not len(array):
        raise ValueError("interval of no values")
    mean = float(array.mean())
    if len(array) == 1:
        return mean, math.nan, math.nan
    half = t_quantile(len(array) - 1) * float(array.std(ddof=1)) / math.sqrt(len(array))
    return mean, mean - half, mean + half


def auc(scores: ArrayLike, planted: ArrayLike) -> float:
    """Chance that a planted matrix scores above one that is not, ties counted half; 0.5 is no information.

    `scores` `(n,)`, `planted` `(n,)` booleans with both kinds in it.
    """
    values, truth = np.asarray(scores, dtype=np.float64), np.asarray(planted, dtype=bool)
    positive, negative = values[truth], values[~truth]
    if not len(positive) or not len(negative):
        raise ValueError("AUC needs matrices of both kinds")
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    above = ranks[truth].sum() - len(positive) * (len(positive) + 1) / 2
    return float(above / (len(positive) * len(negative)))
