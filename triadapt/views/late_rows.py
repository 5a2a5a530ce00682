"""What of a run is too large for one message to the board: it follows piece by piece, what is seen first coming first.

A frame holds every rank event of a run, but of many events not the importances, and not every spectrum. Those rows are
owed: the next frames bring them.
"""

from __future__ import annotations

from collections.abc import Sequence

from triadapt.events import Geometry, RankEvent, Scores, Stamped
from triadapt.views.board import MAX_GEOMETRY, MAX_SCORES, thinned

FULL_ROOM = 24_000
"""Bytes of heavy rows that the first frame of a race brings, in all its runs together."""
LATE_ROOM = 40_000
"""Bytes a frame brings of what is owed since the first."""
NEWER_ROOM = 4_000
"""Bytes of heavy rows a frame brings of what has just happened."""


def weight(row: Stamped) -> int:
    """Bytes of the arrays of a row in a frame; 0 for rows that are never owed."""
    event = row.event
    if isinstance(event, RankEvent):
        return 4 * len(event.scores) + 6 * len(event.unit_scores)
    if isinstance(event, Scores):
        return 4 * len(event.scores)
    if isinstance(event, Geometry):
        return 2 * (len(event.ranks) + len(event.singular) + len(event.core))
    return 0


def in_order(rows: Sequence[Stamped]) -> list[Stamped]:
    """The heavy ones among the rows of a run, thinned as in a full frame, in the order in which they should travel: the
    newest first, then from coarse to fine, so that scrubbing finds something near everywhere early."""
    kinds = [
        [row for row in rows if isinstance(row.event, RankEvent) and weight(row)],
        thinned([row for row in rows if isinstance(row.event, Geometry)], MAX_GEOMETRY),
        thinned([row for row in rows if isinstance(row.event, Scores)], MAX_SCORES),
    ]
    places = [(-_level(len(kind) - 1 - i), nr, row) for nr, kind in enumerate(kinds) for i, row in enumerate(kind)]
    return [row for _, _, row in sorted(places, key=lambda one: one[:2])]


def _level(back: int) -> int:
    """Largest power of two that divides the distance from the end; the end itself is above all."""
    return (back & -back) or 2**62


def take(owed: list[Stamped], room: int, *, least: int = 0) -> list[Stamped]:
    """Remove from the front of `owed` what fits into `room` bytes, but `least` rows in any case, and return it."""
    taken: list[Stamped] = []
    while owed and (weight(owed[0]) <= room or len(taken) < least):
        taken.append(owed.pop(0))
        room -= weight(taken[-1])
    return taken
