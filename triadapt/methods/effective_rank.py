"""How many directions the change of a matrix uses. Free of torch; the JavaScript twin is ui/board/effective.js."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

ENERGY = 0.99


def effective_ranks(singular: NDArray[Any], ranks: NDArray[Any]) -> NDArray[np.uint16]:
    """Per matrix, the number of singular values of dW that carry 99 % of its energy (their sum of squares), `(n,)`.

    singular: `(sum(ranks),)`, matrix after matrix, `ranks[i]` values each. ranks: `(n,)`, allocated. A matrix whose
    change is zero uses 0; values that are not finite carry no energy. Raises ValueError if the lengths do not fit.
    """
    values = np.asarray(singular, dtype=np.float64)
    ends = np.cumsum(np.asarray(ranks, dtype=np.int64))
    total = int(ends[-1]) if len(ends) else 0
    if len(values) != total:
        raise ValueError(f"singular: {len(values)} values, but ranks add up to {total}; give as many values")
    return np.array([effective_rank(part) for part in np.split(values, ends[:-1])][: len(ends)], dtype=np.uint16)


def effective_rank(singular: NDArray[Any]) -> int:
    """The same for the singular values of one matrix."""
    values = np.asarray(singular, dtype=np.float64)
    energy = np.cumsum(np.sort(values[np.isfinite(values)] ** 2)[::-1])
    if not len(energy) or energy[-1] == 0:
        return 0
    return int(np.searchsorted(energy, ENERGY * energy[-1])) + 1
