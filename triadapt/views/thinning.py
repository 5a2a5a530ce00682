"""Thinning: fewer points of a curve, with the peaks kept."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray


def keep_extremes(values: NDArray[Any], limit: int) -> NDArray[np.intp]:
    """Indices, ascending, of at most `limit` of the `values` `(n,)`: the smallest and the largest of each of equal
    bins, and the first and the last. All of them when `n <= limit`. Values that are not finite count as smallest.

    Raises ValueError for a limit below 4.
    """
    if limit < 4:
        raise ValueError(f"limit = {limit}: at least 4 points are needed")
    count = len(values)
    if count <= limit:
        return np.arange(count)
    clean = np.where(np.isfinite(values), values, -np.inf)
    edges = np.linspace(0, count, (limit - 2) // 2 + 1).astype(np.intp)
    kept = {0, count - 1}
    for start, stop in pairwise(edges):
        kept.add(int(start + np.argmin(clean[start:stop])))
        kept.add(int(start + np.argmax(clean[start:stop])))
    return np.array(sorted(kept), dtype=np.intp)
