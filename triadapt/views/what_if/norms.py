"""TriAdaptLoRA's importance in a replay, corrected for what a matrix has there and had not in the recording.

Importance is the rise of `||L + U||_F / m` since the last event, m the number of blocks. Recorded are the rises since
the recorded events; added up from that of a new adapter they give the norm at every record. In a replay a matrix may
hold another rank, in another number of blocks:

- a smaller rank: the norm of the leading part of the recorded core, by straight lines between the steps at which cores
  were recorded. Assumed: what a block holds does not depend on the blocks that come after it.
- a larger rank: what the further blocks hold when they are made is added under the root. Assumed: they stay so.
- the same rank in the same number of blocks: nothing is changed, whenever the blocks were made.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from triadapt.views.what_if.recording import Ranks, Recording

Doubles = NDArray[np.float64]
# What one rank adds to the square of the norm when its block is made; with `eye` the diagonal stands in L and in U. The
# published normal numbers are small enough to be taken for 0.
SQUARE = {"identity": 1.0, "eye": 4.0, "zero_core": 0.0, "gaussian": 0.0, "zero": 0.0}


class Norms:
    """Norms at the `k` records of a recording over `n` matrices: `values` `(k, n)`, and `before` `(k, n)` at the event
    before each record, or at the start."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._square = SQUARE.get(str(getattr(recording.config.method_settings, "init", "")), 0.0)
        self._leading: dict[tuple[int, int], tuple[Doubles, Doubles]] = {}
        ranks, blocks = recording.start, np.ones(len(recording.matrices), np.int64)
        previous = np.sqrt(self._square * recording.start)
        events = {event.step: event for event in recording.events}
        values, before, held, counts = [], [], [], []
        for step, scores, at_event in zip(recording.steps, recording.scores, recording.at_event, strict=True):
            values.append(previous + scores.astype(np.float64))
            before.append(previous)
            held.append(ranks)
            counts.append(blocks)
            if at_event:
                event = events[int(step)]
                previous, blocks, ranks = values[-1], blocks + (event.ranks > ranks), event.ranks
        self.values, self.before = np.array(values), np.array(before)
        self._ranks, self._blocks = np.array(held), np.array(counts)

    def at(self, record: int, ranks: Ranks, blocks: Ranks) -> Doubles:
        """Norm of each matrix at a record, had it these `ranks` in so many `blocks`, both `(n,)`."""
        recorded, held, counts = self.values[record], self._ranks[record], self._blocks[record]
        square = (recorded * counts) ** 2 + np.maximum(ranks - held, 0) * self._square
        for index in np.flatnonzero(ranks < held):
            share = square[index] * ranks[index] / held[index]
            square[index] = self._part(record, int(index), int(ranks[index]), otherwise=share)
        same = (ranks == held) & (blocks == counts)
        return np.asarray(np.where(same, recorded, np.sqrt(square) / blocks), np.float64)

    def scores(self, record: int, ranks: Ranks, blocks: Ranks, previous: Doubles) -> NDArray[np.float32]:
        """Importance at a record `(n,)`; `previous`: the norms at the event before it. It is the recorded one, and what
        is corrected: for a replay without a change that is exactly nothing."""
        change = (self.at(record, ranks, blocks) - self.values[record]) - (previous - self.before[record])
        return np.asarray(self._recording.scores[record] + change, np.float32)

    def _part(self, record: int, index: int, rank: int, *, otherwise: float) -> float:
        """Square of the norm of the leading `(rank, rank)` part of a core; `otherwise` where none was recorded."""
        if (index, rank) not in self._leading:
            self._leading[index, rank] = self._recorded_parts(index, rank)
        steps, squares = self._leading[index, rank]
        return float(np.interp(self._recording.steps[record] + 1, steps, squares)) if len(steps) else otherwise

    def _recorded_parts(self, index: int, rank: int) -> tuple[Doubles, Doubles]:
        steps, squares = [], []
        for shape in self._recording.geometry:
            sizes = shape.ranks.astype(np.int64) ** 2
            if shape.ranks[index] < rank or sizes.sum() != len(shape.core):
                continue
            begin, side = int(sizes[:index].sum()), int(shape.ranks[index])
            core = shape.core[begin : begin + side * side].reshape(side, side)[:rank, :rank].astype(np.float64)
            steps.append(shape.step)
            squares.append(float((core**2).sum()))
        return np.array(steps, np.float64), np.array(squares)


@functools.lru_cache(maxsize=16)
def norms_of(recording: Recording) -> Norms:
    """The norms of a recording, which are asked for at every move of a control."""
    return Norms(recording)
