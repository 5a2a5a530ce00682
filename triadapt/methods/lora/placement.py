"""Where an oracle puts rank: all of it on the matrices that carry a planted change."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def planted_ranks(budget: int, planted: Sequence[int], sizes: Sequence[int]) -> NDArray[np.uint16]:
    """Rank of each matrix `(n,)` when a budget of ranks goes to those with a planted rank above 0, as evenly as it can.

    What does not divide goes to those with the largest planted rank, in the order of the matrices among equals. sizes:
    the smaller side of each matrix, which no rank passes; what fits nowhere is left over.
    """
    ranks = np.zeros(len(planted), np.uint16)
    order = sorted((i for i, rank in enumerate(planted) if rank), key=lambda i: -planted[i])
    left = min(budget, sum(sizes[i] for i in order))
    while left:
        room = [i for i in order if ranks[i] < sizes[i]]
        # All of them get the same until one is full or not everyone can have one more.
        each = min(left // len(room), *(sizes[i] - int(ranks[i]) for i in room))
        takers = room if each else room[:left]
        ranks[takers] += max(1, each)
        left -= max(1, each) * len(takers)
    return ranks
