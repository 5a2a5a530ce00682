"""How sure a mean is."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

# Student's t, 97.5 %, for 1 to 23 degrees of freedom; beyond, that of the normal distribution.
T_975 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069,
)  # fmt: skip
T_NORMAL = 1.96


def half_width(values: NDArray[np.float64]) -> float | None:
    """Half the width of the 95 % interval of the mean of independent `values` `(n,)`; None for fewer than two."""
    count = len(values)
    if count < 2:
        return None
    quantile = T_975[count - 2] if count - 2 < len(T_975) else T_NORMAL
    return float(quantile * np.std(values, ddof=1) / math.sqrt(count))
