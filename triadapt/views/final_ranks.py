"""Ranks where a run began and where it ended, and the panels of a picture of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triadapt.events import Geometry, Matrix, RankEvent, Stamped, Started
from triadapt.methods.registry import METHODS
from triadapt.runs.info import RunInfo


@dataclass(frozen=True, eq=False)
class RankPanel:
    """One run of a picture: its `label`, its matrices and the rank `(n,)` each ended with. effective: it has no rank of
    its own, and these were measured."""

    label: str
    matrices: Sequence[Matrix]
    ranks: NDArray[np.uint16]
    effective: bool = False

    @property
    def total(self) -> int:
        """Sum of the ranks."""
        return int(self.ranks.sum())


def first_and_final_ranks(
    events: Sequence[Stamped], started: Started | None
) -> tuple[NDArray[np.uint16] | None, NDArray[np.uint16] | None]:
    """Ranks of each matrix `(n,)` at the end and at the start; None before anything was adapted.

    A run that never allocated has no event with ranks until the first geometry, if it starts even. Without a rank of
    its own they are the effective ranks as last measured, 0 before.
    """
    if started is None or not started.matrices:
        return None, None
    n = len(started.matrices)
    changes = [stamped.event for stamped in events if isinstance(stamped.event, RankEvent)]
    even = np.full(n, started.start_total_rank // n, np.uint16)
    start = changes[0].before if changes else even
    if changes:
        return changes[-1].ranks, start
    if not started.allotted:
        return even, start  # its geometry tells how many singular values are recorded
    shapes = [stamped.event.ranks for stamped in events if isinstance(stamped.event, Geometry)]
    return (shapes[-1] if shapes else even), start


def rank_panels(runs: Sequence[tuple[RunInfo, Sequence[Stamped]]]) -> list[RankPanel]:
    """A panel for each run that has adapted matrices; runs of one method are numbered."""
    panels = []
    methods = [info.method for info, _ in runs]
    for at, (info, events) in enumerate(runs):
        started = next((row.event for row in events if isinstance(row.event, Started)), None)
        ranks, _ = first_and_final_ranks(events, started)
        if started is None or ranks is None:
            continue
        label = METHODS[info.method].label if info.method in METHODS else info.method
        again = methods.count(info.method) > 1
        name = f"{label} {methods[: at + 1].count(info.method)}" if again else label
        panels.append(RankPanel(name, started.matrices, ranks, effective=not started.allotted))
    return panels
