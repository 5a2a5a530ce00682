"""Which results no other beats in both size and metric."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def front(sizes: NDArray[Any], values: NDArray[Any], *, higher_is_better: bool) -> NDArray[np.intp]:
    """Indices of the points that no other point beats: none is smaller and at least as good, or better and at most as
    large. Ascending in size; of equal points the first. sizes, values: `(n,)`."""
    gain = np.asarray(values, np.float64) * (1 if higher_is_better else -1)
    kept: list[int] = []
    best = -np.inf
    for index in np.lexsort((-gain, np.asarray(sizes, np.float64))):
        if gain[index] > best:
            kept.append(int(index))
            best = gain[index]
    return np.array(kept, np.intp)
