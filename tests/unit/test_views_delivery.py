"""Messages to one browser: small, in order, and in the end everything."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_views_board import rank_event, stamped, started
from triadapt.events import Geometry, RankEvent, Scores, Stamped
from triadapt.views.delivery import FULL_SIZE, NEWER_SIZE, Delivery, News
from triadapt.views.frames import unpack
from triadapt.views.pieces import HEAD, KINDS, in_order, payload, size_of, take

RUNNING = {"state": "running"}


@dataclass
class Browser:
    """Puts payloads together as the browser does."""

    bytes: dict[tuple[str, str, int], bytearray] = field(default_factory=dict)
    whole: dict[tuple[str, str, int], bytes] = field(default_factory=dict)
    number: int = 0

    def read(self, message: bytes) -> list[dict[str, Any]]:
        frame = unpack(message)
        if frame["number"] == self.number:
            return []
        assert frame["number"] == self.number + 1
        self.number = frame["number"]
        for run in frame["runs"]:
            at, pieces = 0, run.get("pieces", {"t": []})
            for i, t in enumerate(pieces["t"]):
                key = (run["id"], KINDS[pieces["kind"][i]], int(t))
                held = self.bytes.setdefault(key, bytearray())
                held += pieces["data"][at : at + pieces["count"][i]].tobytes()
                at += int(pieces["count"][i])
                if len(held) == pieces["size"][i]:
                    assert key not in self.whole, "sent twice"
                    self.whole[key] = bytes(held)
        return list(frame["runs"])


def heavy(n: int, events: int, units: int) -> list[Stamped]:
    """A run of `n` matrices that owes much."""
    ranks = [2] * n
    rows: list[Any] = [started(n)]
    for t in range(1, events + 1):
        rows.append(replace(rank_event(t, ranks, units=units), before=np.full(n, 2, np.uint16)))
        rows.append(Geometry(t, np.full(n, 2, np.uint16), np.ones(2 * n, np.float32), np.ones(4 * n, np.float32)))
    return stamped(*rows, Scores(events + 1, np.ones(n, np.float32)))


def test_a_payload_says_whose_its_parts_are_only_where_ranks_do_not() -> None:
    event = rank_event(2, [1, 1, 1], units=3)  # all of matrix 0, while every rank is 1
    (odd,) = stamped(event)
    assert payload(odd) == (1, np.array([0, 1, 2, 1, 1, 1], "<f4").tobytes() + bytes(6))
    in_turn = RankEvent(**{**vars(event), "unit_matrix": np.arange(3, dtype=np.uint16)})
    (plain,) = stamped(in_turn)
    assert payload(plain) == (0, np.array([0, 1, 2, 1, 1, 1], "<f4").tobytes())
    shape = Geometry(3, np.array([1, 2], np.uint16), np.ones(3, np.float32), np.array([1e9, 2, 3], np.float32))
    kind, body = payload(*stamped(shape))
    assert KINDS[kind] == "geometry" and len(body) == size_of(*stamped(shape)) == 2 * (2 + 3 + 3)
    assert np.isfinite(np.frombuffer(body, "<f2")).all()


def test_the_order_goes_from_the_newest_over_coarse_to_fine() -> None:
    rows = stamped(*(rank_event(t, [1, 1]) for t in range(9)))
    assert [piece.row.event.step for piece in in_order(rows)] == [8, 0, 4, 2, 6, 1, 3, 5, 7]


@given(st.lists(st.integers(HEAD + 1, 90), min_size=1, max_size=5), st.integers(1, 6))
def test_pieces_of_any_size_add_up_to_what_was_cut(rooms: list[int], units: int) -> None:
    rows = stamped(*(rank_event(t, [2, 1, 1], units=units) for t in range(4)))
    owed, got = in_order(rows), {row.seq: b"" for row in rows}
    for turn in range(1000):
        if not owed:
            break
        room = rooms[turn % len(rooms)]
        pieces = take(owed, room)
        assert sum(HEAD + piece.stop - piece.start for piece in pieces) <= room
        for piece in pieces:
            assert len(got[piece.row.seq]) == piece.start
            got[piece.row.seq] += payload(piece.row)[1][piece.start : piece.stop]
    assert got == {row.seq: payload(row)[1] for row in rows}


def test_a_large_race_arrives_whole_in_small_messages() -> None:
    runs = {name: heavy(200, 60, units=400) for name in "abc"}
    delivery, browser = Delivery("race"), Browser()
    cut = 80
    first = delivery.message([News(name, 0, RUNNING, rows[:cut]) for name, rows in runs.items()])
    assert len(first) <= FULL_SIZE and unpack(first)["full"]
    assert [run["to"] for run in browser.read(first)] == [cut] * 3
    for name in runs:
        assert delivery.after(name, 0) == cut and delivery.after(name, 1) == 0
    while delivery.catching_up:
        message = delivery.message([News(name, 0, RUNNING, []) for name in runs])
        assert len(message) <= FULL_SIZE
        browser.read(message)
    for end in range(cut + 1, len(runs["a"]) + 1):
        message = delivery.message([News(name, 0, RUNNING, rows[end - 1 : end]) for name, rows in runs.items()])
        assert len(message) <= NEWER_SIZE
        browser.read(message)
    while delivery.owes:
        browser.read(delivery.message([News(name, 0, RUNNING, []) for name in runs]))
    for name, rows in runs.items():
        for row in rows:
            if isinstance(row.event, RankEvent):
                kind, body = payload(row)
                assert browser.whole[name, KINDS[kind], row.event.step] == body


def test_nothing_new_is_the_same_message_again() -> None:
    delivery = Delivery("race")
    rows = stamped(started(), rank_event(2, [2, 1, 1]))
    first = delivery.message([News("a", 0, RUNNING, rows)])
    assert not delivery.owes
    assert delivery.message([News("a", 0, RUNNING, [])]) == first
    second = delivery.message([News("a", 0, {"state": "finished"}, [])])
    assert unpack(second)["number"] == 2 and not unpack(second)["full"]


def test_a_history_that_was_rewritten_begins_anew() -> None:
    delivery = Delivery("race")
    rows = stamped(started(), rank_event(2, [2, 1, 1]))
    delivery.message([News("a", 0, RUNNING, rows)])
    (run,) = unpack(delivery.message([News("a", 1, RUNNING, rows[:1])]))["runs"]
    assert (run["from"], run["to"], run["generation"]) == (0, 1, 1)
