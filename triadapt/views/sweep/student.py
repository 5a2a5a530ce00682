"""Student's t distribution, for intervals over a few seeds at any level."""

from __future__ import annotations

import math
from functools import cache


def two_sided(t: float, degrees: int) -> float:
    """Probability that |T| is above `t` >= 0, by the finite sums of Abramowitz and Stegun, 26.7.3 and 26.7.4. degrees:
    of freedom, from 1."""
    angle = math.atan2(t, math.sqrt(degrees))
    cosine, sine = math.cos(angle), math.sin(angle)
    odd = degrees % 2 == 1
    term, total = cosine if odd else 1.0, 0.0
    for power in range(3 if odd else 2, degrees + 1, 2):
        total += term
        term *= cosine**2 * (power - 1) / power
    return 1 - (2 / math.pi * (angle + sine * total) if odd else sine * total)


@cache
def quantile(level: float, degrees: int) -> float:
    """The `t` that |T| is above with probability `level`: 0.05 gives half the width of a 95 % interval in standard
    errors. Raises ValueError for a level outside 0 to 1 or less than one degree of freedom."""
    if not 0 < level < 1 or degrees < 1:
        raise ValueError(f"level = {level}, degrees = {degrees}: need a level between 0 and 1 and at least two values")
    low, high = 0.0, 1.0
    while two_sided(high, degrees) > level:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if two_sided(middle, degrees) > level else (low, middle)
    return (low + high) / 2


def interval(values: list[float], level: float = 0.05) -> tuple[float, float, float] | None:
    """Mean of `values` and the ends of its interval; None where no spread can be seen, as of one value or of equal
    ones."""
    n = len(values)
    mean = math.fsum(values) / n if n else 0.0
    squares = math.fsum((value - mean) ** 2 for value in values)
    if n < 2 or squares <= 0:
        return None
    half = quantile(level, n - 1) * math.sqrt(squares / (n - 1) / n)
    return mean, mean - half, mean + half
