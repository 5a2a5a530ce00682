"""Recovery of planted ranks: did the rank land where it was needed?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def recovery(ranks: NDArray[Any], planted: NDArray[Any], start_ranks: NDArray[Any]) -> dict[str, float | None]:
    """How well `ranks` `(n,)` meet the `planted` ranks `(n,)`, all as shares from 0 to 1, None where there is nothing
    to share out.

    coverage: share of the planted rank that is covered, `sum(min(rank, planted)) / sum(planted)`.
    precision: share of the grown rank (`rank - start`) that sits on planted matrices; where nothing grew (pruning,
    plain LoRA), of the rank that is held.
    chance: the precision of a method that spreads rank evenly, the share of matrices that are planted.
    even: the coverage of the same total rank spread evenly.
    """
    held = np.asarray(ranks, dtype=np.float64)
    truth = np.asarray(planted, dtype=np.float64)
    start = np.asarray(start_ranks, dtype=np.float64)
    if not held.shape == truth.shape == start.shape:
        raise ValueError(f"ranks {held.shape}, planted {truth.shape}, start_ranks {start.shape}: shapes must be equal")
    grown = np.maximum(held - start, 0)
    if not grown.any():
        grown = held
    needed = truth.sum()
    if not needed:
        return {"coverage": None, "precision": None, "chance": None, "even": None}
    total = grown.sum()
    return {
        "coverage": float(np.minimum(held, truth).sum() / needed),
        "precision": float(grown[truth > 0].sum() / total) if total else None,
        "chance": float((truth > 0).mean()),
        "even": float(np.minimum(held.mean(), truth).sum() / needed),
    }
