"""What one browser has of a race, and the next message it gets: no message too large, and nothing twice.

The first message is a full copy. What does not fit into it, or into a later one, is owed, and the next ones bring it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from triadapt.events import Stamped
from triadapt.views.board import board_frame, run_frame
from triadapt.views.pieces import HEAD, Piece, columns, in_order, take

FULL_SIZE = 50_000
"""Most bytes of the full copy, as far as what is not in pieces leaves it a choice, and of the messages that follow it
until nothing is owed of the past."""
NEWER_SIZE = 5_000
"""The same of a message with what has just happened."""
LEAST_ROOM = 200
"""Bytes of pieces that one run may have in any case, or what is owed would never arrive."""
MAX_STEPS, FEW_STEPS = 4000, 400
"""Most losses of a run in a full copy: of one that is alone, and of one of many."""
MAX_EVALUATIONS, FEW_EVALUATIONS = 800, 100
COLUMNS = 330
"""Bytes of the head of the pieces of a run, about."""


@dataclass
class News:
    """What there is to say of a run: its stored events above the sequence number that `Delivery.after` gave."""

    id: str
    generation: int
    status: dict[str, Any]
    rows: Sequence[Stamped]


@dataclass
class _Held:
    """What the browser has of a run, or will have."""

    to: int = 0
    generation: int = 0
    status: dict[str, Any] = field(default_factory=dict)
    owed: list[Piece] = field(default_factory=list)


class Delivery:
    """Messages about one view to one browser, in order. Forget it to begin anew with a full copy.

    copy: a name of the full copy and of all that follows on it. What newer data overtook never reaches the browser:
    send `last` until it says that it holds this copy, and then what follows.
    """

    def __init__(self, view: str) -> None:
        self.view = view
        self.copy = uuid4().hex[:12]
        self.number = 0
        self.catching_up = False
        self.last = b""
        self._runs: dict[str, _Held] = {}

    def after(self, run_id: str, generation: int) -> int:
        """Sequence number up to which a browser knows a run whose history is `generation`."""
        held = self._runs.get(run_id)
        return held.to if held and held.generation == generation else 0

    @property
    def owes(self) -> bool:
        """Whether something is still to come though nothing new happened."""
        return any(held.owed for held in self._runs.values())

    def message(self, news: Sequence[News], extras: dict[str, Any] | None = None) -> bytes:
        """The next message; the last one again, the same bytes, when there is nothing new and nothing owed.

        extras: further keys of the header.
        """
        full = self.number == 0
        moved = full
        frames = []
        for one in news:
            held = self._runs.setdefault(one.id, _Held(generation=one.generation))
            after = self.after(one.id, one.generation)
            if after == 0:
                held.owed, held.to, held.generation = [], 0, one.generation
            frame = run_frame(
                one.id, one.rows, after=after, generation=one.generation, status=one.status, pieces=(),
                most_steps=_share(MAX_STEPS, FEW_STEPS, len(news)),
                most_evaluations=_share(MAX_EVALUATIONS, FEW_EVALUATIONS, len(news)),
            )  # fmt: skip
            held.owed[:0] = in_order([row for row in one.rows if row.seq > after])
            moved |= bool(one.rows) or bool(held.owed) or one.status != held.status
            held.status, held.to = one.status, frame["to"]
            frames.append(frame)
        if not moved:
            return self.last
        self.number += 1
        about = {**(extras or {}), "copy": self.copy, "number": self.number}
        most = FULL_SIZE if full or self.catching_up else NEWER_SIZE
        room = most - len(board_frame(self.view, frames, full=full, extras=about))
        waiting = [(frame, self._runs[frame["id"]]) for frame in frames if self._runs[frame["id"]].owed]
        waiting.sort(key=lambda one: -len(one[1].owed))
        for place, (frame, held) in enumerate(waiting):
            share = room // (len(waiting) - place) - COLUMNS
            if share < LEAST_ROOM:  # one run at a time then, the one that owes most, and none in a full copy
                share = LEAST_ROOM if place == 0 and not full else 0
            taken = take(held.owed, share)
            if not taken:
                continue
            room -= COLUMNS + sum(HEAD + piece.stop - piece.start for piece in taken)
            frame["pieces"] = columns(taken)
        self.catching_up = self.owes and (full or self.catching_up)
        self.last = board_frame(self.view, frames, full=full, extras=about)
        return self.last


def _share(most: int, least: int, runs: int) -> int:
    return max(least, most // runs**2)
