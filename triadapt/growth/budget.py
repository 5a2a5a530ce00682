"""Who grows by how much when the budget is counted in ranks and never exceeded."""

from __future__ import annotations

from collections.abc import Sequence


def grants(
    candidates: Sequence[int], *, ranks: Sequence[int], limits: Sequence[int], add_r: int, gap: int
) -> list[tuple[int, int]]:
    """Ranks granted to `candidates`, which come best first, as `(matrix, ranks gained)`.

    A matrix gains `add_r`, less where its size `limits[i]` or what is left of `gap` allows less. Candidates that can
    gain nothing are passed over. The grants add up to at most `gap`.
    """
    granted: list[tuple[int, int]] = []
    for index in candidates:
        gain = min(add_r, limits[index] - ranks[index], gap)
        if gain > 0:
            granted.append((index, gain))
            gap -= gain
    return granted
