"""What of a run is too large for one message to the board: it travels in pieces, what is seen first coming first.

A frame holds every rank event of a run, but not its importances, and no spectrum. These arrays are the payload of their
row, one run of bytes, which is cut wherever a message is full; the browser puts a row in place when it is whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from triadapt.events import Geometry, RankEvent, Scores, Stamped

MAX_SCORES = 24
MAX_GEOMETRY = 40
"""Most records of a kind that a full copy brings: coarse to fine, more are not seen. Rank events are never thinned."""
KINDS = ("rank", "rank with owners", "scores", "geometry")
HEAD = 8
"""Bytes that a piece takes beside its data, about."""
T_ = TypeVar("T_")


@dataclass(frozen=True)
class Piece:
    """Bytes `start` to `stop` of the payload of a row, of `size` bytes in all."""

    row: Stamped
    start: int
    stop: int
    size: int


def size_of(row: Stamped) -> int:
    """Bytes of a row's payload; 0 for rows that have none."""
    event = row.event
    if isinstance(event, RankEvent):
        return 4 * len(event.scores) + (4 if _owners_implied(event) else 6) * len(event.unit_scores)
    if isinstance(event, Scores):
        return 4 * len(event.scores)
    if isinstance(event, Geometry):
        return 2 * (len(event.ranks) + len(event.singular) + len(event.core))
    return 0


def payload(row: Stamped) -> tuple[int, bytes]:
    """Index into `KINDS`, and the arrays one after another.

    A rank event: importances of matrices `<f4`, of their parts `<f4`, and the matrix of each part `<u2`, which is left
    out where there are as many parts as the ranks before the event say, in order. Scores: `<f4`. Geometry: ranks `<u2`,
    singular values and core, both `<f2`, for they are only drawn.
    """
    event = row.event
    if isinstance(event, RankEvent):
        implied = _owners_implied(event)
        arrays = [event.scores.astype("<f4"), event.unit_scores.astype("<f4")]
        arrays += [] if implied else [event.unit_matrix.astype("<u2")]
        return (0 if implied else 1), b"".join(array.tobytes() for array in arrays)
    if isinstance(event, Scores):
        return 2, event.scores.astype("<f4").tobytes()
    assert isinstance(event, Geometry)
    return 3, event.ranks.astype("<u2").tobytes() + _halves(event.singular) + _halves(event.core)


def _owners_implied(event: RankEvent) -> bool:
    if len(event.unit_scores) != int(event.before.sum()):
        return False
    return np.array_equal(event.unit_matrix, np.repeat(np.arange(len(event.before)), event.before))


def _halves(values: Any) -> bytes:
    largest = np.finfo(np.float16).max
    return bytes(np.clip(values, -largest, largest).astype("<f2").tobytes())


def in_order(rows: Sequence[Stamped]) -> list[Piece]:
    """The payloads among the rows of a run, thinned as in a full copy, in the order in which they should travel: the
    newest first, then from coarse to fine, so that scrubbing finds something near everywhere early."""
    rows = [row for row in rows if isinstance(row.event, RankEvent | Geometry | Scores)]
    kinds = [
        [row for row in rows if isinstance(row.event, RankEvent) and size_of(row)],
        thinned([row for row in rows if isinstance(row.event, Geometry)], MAX_GEOMETRY),
        thinned([row for row in rows if isinstance(row.event, Scores)], MAX_SCORES),
    ]
    places = [(-_level(len(kind) - 1 - i), nr, row) for nr, kind in enumerate(kinds) for i, row in enumerate(kind)]
    whole = [(row, size_of(row)) for _, _, row in sorted(places, key=lambda one: one[:2])]
    return [Piece(row, 0, size, size) for row, size in whole]


def _level(back: int) -> int:
    """Largest power of two that divides the distance from the end; the end itself is above all."""
    return (back & -back) or 2**62


def thinned(events: list[T_], limit: int) -> list[T_]:
    """At most `limit` of the events, evenly spread, the first and the last among them."""
    if len(events) <= limit:
        return events
    return [events[index] for index in np.linspace(0, len(events) - 1, limit).round().astype(int)]


def take(owed: list[Piece], room: int) -> list[Piece]:
    """Remove from the front of `owed` what fits into `room` bytes, the last piece cut to fit, and return it."""
    taken: list[Piece] = []
    while owed and room > HEAD:
        piece = owed.pop(0)
        stop = min(piece.stop, piece.start + room - HEAD)
        taken.append(Piece(piece.row, piece.start, stop, piece.size))
        room -= HEAD + stop - piece.start
        if stop < piece.stop:
            owed.insert(0, Piece(piece.row, stop, piece.stop, piece.size))
    return taken


def columns(pieces: Sequence[Piece]) -> dict[str, Any] | None:
    """Pieces for a frame: `kind` (index into `KINDS`), `t`, `size` of the whole payload and `count` bytes here, and
    `data`, all bytes one after another."""
    if not pieces:
        return None
    whole = [payload(piece.row) for piece in pieces]
    data = b"".join(body[piece.start : piece.stop] for piece, (_, body) in zip(pieces, whole, strict=True))
    return {
        "kind": np.array([kind for kind, _ in whole], "u1"),
        "t": np.array([piece.row.event.step for piece in pieces], "<u4"),
        "size": np.array([piece.size for piece in pieces], "<u4"),
        "count": np.array([piece.stop - piece.start for piece in pieces], "<u4"),
        "data": np.frombuffer(data, "u1"),
    }
