"""How alike allocations are, how even, and how restless."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triadapt.views.compare.record import RunRecord, same_matrices


def average_ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    """The place of each of `values` `(n,)` in their order, from 1; equal ones share the mean of their places."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], np.float64)


def spearman(first: NDArray[Any], second: NDArray[Any]) -> float | None:
    """Spearman's rank correlation of two `(n,)`, from -1 to 1; None where one of them is constant.

    Raises ValueError for unequal shapes.
    """
    if np.shape(first) != np.shape(second):
        raise ValueError(f"{np.shape(first)} and {np.shape(second)}: shapes must be equal")
    x, y = (ranks - ranks.mean() for ranks in (average_ranks(first), average_ranks(second)))
    scale = math.sqrt(float(x @ x) * float(y @ y))
    return max(-1.0, min(1.0, float(x @ y) / scale)) if scale else None


def agreement(records: Sequence[RunRecord], states: Sequence[int] | None = None) -> NDArray[np.float64]:
    """Spearman's correlation of the ranks of each pair of `r` runs, `(r, r)`; NaN where it is undefined: ranks that are
    all equal, runs over other matrices or without a rank of their own. `states`: which state of each counts; the last
    unless given."""
    rows = states if states is not None else [-1] * len(records)
    found = np.full((len(records), len(records)), np.nan)
    for i, first in enumerate(records):
        for j, second in enumerate(records[: i + 1]):
            if first.allotted and second.allotted and same_matrices(first, second):
                value = spearman(first.ranks[rows[i]], second.ranks[rows[j]])
                found[i, j] = found[j, i] = np.nan if value is None else value
    return found


def entropy(ranks: NDArray[Any]) -> float | None:
    """Shannon entropy of how the total rank is spread over `(n,)` matrices, over its largest value log n: 0 with all
    rank on one matrix, 1 with the same everywhere. None without rank or with a single matrix."""
    held = np.asarray(ranks, np.float64)
    total = held.sum()
    if total <= 0 or held.size < 2:
        return None
    shares = held[held > 0] / total
    return max(0.0, min(1.0, float(-(shares * np.log(shares)).sum() / math.log(held.size))))


def churn(chosen: NDArray[np.bool_]) -> float | None:
    """How much the choice changes from one rank event to the next: 1 minus the Jaccard index of the two sets of chosen
    matrices, on average. chosen: `(events, n)`. Events that chose nothing are passed over; None with fewer than two."""
    rows = np.asarray(chosen, bool)
    rows = rows[rows.any(axis=1)] if rows.size else rows
    if len(rows) < 2:
        return None
    both = (rows[1:] & rows[:-1]).sum(axis=1)
    either = (rows[1:] | rows[:-1]).sum(axis=1)
    return float(np.mean(1 - both / either))


def pair_table(correlations: NDArray[np.float64], groups: Sequence[str], seeds: Sequence[int]) -> list[dict[str, Any]]:
    """The pairs behind `correlations` `(r, r)` in kinds: seeds of one group, and two groups under the same seed.

    groups, seeds: of each run. Rows with `pairs` (what was paired), `mean`, `lowest`, `highest` and `count`; undefined
    correlations do not count, and kinds without any are left out.
    """
    found: dict[str, list[float]] = {}
    for i in range(len(groups)):
        for j in range(i):
            if groups[i] == groups[j]:
                kind = f"seeds of {groups[j]}"
            elif seeds[i] == seeds[j]:
                kind = f"{groups[j]} and {groups[i]}, same seed"
            else:
                continue
            if np.isfinite(correlations[i, j]):
                found.setdefault(kind, []).append(float(correlations[i, j]))
    ordered = sorted(found.items(), key=lambda item: not item[0].startswith("seeds of "))
    return [
        {"pairs": kind, "mean": float(np.mean(values)), "lowest": min(values), "highest": max(values),
         "count": len(values)}
        for kind, values in ordered
    ]  # fmt: skip
