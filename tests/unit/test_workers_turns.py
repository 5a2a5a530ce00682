"""Fair turns between visitors of one worker."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fake_sessions import TROUBLE
from hypothesis import given
from hypothesis import strategies as st
from test_workers_manager import FAKE, FOREVER, HERE, configs, info, until, until_step

from triadapt.runs.info import RunError
from triadapt.workers.manager import RunManager
from triadapt.workers.turns import Turns

VISITORS = st.sampled_from("abcde")


@dataclass(frozen=True)
class Race:
    visitor: str
    number: int


# What happens on a server: a visitor asks for a race, or (None) the worker is free for the next.
HAPPENINGS = st.lists(st.one_of(VISITORS, st.none()), max_size=60)


@given(HAPPENINGS)
def test_a_visitors_next_race_waits_for_at_most_one_race_of_each_other(happenings: list[str | None]) -> None:
    """Between the moment a race is the first of its visitor to wait and the moment it is served, no other visitor is
    served twice, whoever comes meanwhile; and a visitor's own races keep their order."""
    turns, waiting, begun = Turns(), [], []
    served_while_first: dict[Race, list[str]] = {}
    for number, visitor in enumerate([*happenings, *[None] * len(happenings)]):
        if visitor is not None:
            waiting.append(Race(visitor, number))
        elif waiting:
            race = turns.order(waiting)[0]
            turns.serve(race.visitor)
            waiting.remove(race)
            begun.append(race)
            others = served_while_first.pop(race, [])
            assert len(others) == len(set(others)) and race.visitor not in others
            for first in {one.visitor: one for one in reversed(waiting)}.values():
                if first.visitor != race.visitor:
                    served_while_first.setdefault(first, []).append(race.visitor)
    assert not waiting
    for visitor in "abcde":
        numbers = [race.number for race in begun if race.visitor == visitor]
        assert numbers == sorted(numbers)


@given(HAPPENINGS)
def test_positions_come_true_when_nothing_else_comes(happenings: list[str | None]) -> None:
    turns, waiting = Turns(), []
    for number, visitor in enumerate(happenings):
        if visitor is not None:
            waiting.append(Race(visitor, number))
        elif waiting:
            turns.serve(turns.order(waiting)[0].visitor)
            waiting.remove(turns.order(waiting)[0])
    told = turns.order(waiting)
    for race in told:
        assert turns.order(waiting)[0] == race
        turns.serve(race.visitor)
        waiting.remove(race)


def test_one_visitor_alone_is_served_as_they_came() -> None:
    races = [Race("", number) for number in range(20)]
    assert Turns().order(reversed(races)) == races


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunManager]:
    monkeypatch.setenv("PYTHONPATH", HERE)
    manager = RunManager(tmp_path, open_sessions=FAKE)
    yield manager
    manager.shutdown()


def test_many_races_of_one_visitor_do_not_hold_up_another(manager: RunManager, monkeypatch: pytest.MonkeyPatch) -> None:
    running = manager.submit(configs(steps=FOREVER), visitor="ann")
    until_step(manager, running, 1)
    anns = [manager.submit(configs(), visitor="ann") for _ in range(3)]
    ben = manager.submit(configs(), visitor="ben")
    cleo = [manager.submit(configs(), visitor="cleo") for _ in range(2)]
    assert manager.active() == [running, ben, cleo[0], anns[0], cleo[1], anns[1], anns[2]]
    assert manager.status(f"{ben}-lora")["message"] == "waiting, 1 in the queue"
    assert manager.status(f"{anns[0]}-lora")["message"] == "waiting, 3 in the queue"
    assert manager.stop(cleo[0])
    assert manager.active() == [running, ben, cleo[1], *anns]
    assert manager.made_by(ben) == "ben" and manager.made_by(anns[0]) == "ann" and manager.made_by("other") is None
    begun: list[str] = []
    send = manager._worker.send

    def listen(order: dict[str, object]) -> bool:
        if order["order"] == "race":
            begun.append(str(order["race"]))
        return send(order)

    monkeypatch.setattr(manager._worker, "send", listen)
    assert manager.stop(running) and manager.wait(anns[2], 60)
    assert begun == [ben, cleo[1], *anns]


def test_a_visitor_may_have_so_many_races_waiting_and_is_told(manager: RunManager) -> None:
    running = manager.submit(configs(steps=FOREVER), visitor="ann", most=2)
    until_step(manager, running, 1)
    for _ in range(2):
        manager.submit(configs(), visitor="ann", most=2)
    before = sorted(os.listdir(manager.runs))
    with pytest.raises(RunError, match="2 races of yours wait, the most that may; wait until one starts or take one"):
        manager.submit(configs(), visitor="ann", most=2)
    assert sorted(os.listdir(manager.runs)) == before
    manager.submit(configs(), visitor="ben", most=2)
    manager.submit(configs(), visitor="ann")


def test_a_pause_that_yields_ends_when_another_race_waits(manager: RunManager) -> None:
    race = manager.submit(configs(steps=FOREVER), visitor="ann")
    until_step(manager, race, 1)
    assert manager.pause(race, yields=True)
    until(lambda: info(manager, race).state == "paused", "the pause")
    after = manager.submit(configs(weight_decay=TROUBLE["prints"]), visitor="ben")
    until(lambda: info(manager, race).state == "running", "the race to go on")
    assert not manager.pause(race, yields=True) and not manager.step(race, yields=True)
    assert manager.pause(race)
    until(lambda: info(manager, race).state == "paused", "the pause of whoever may")
    assert manager.stop(race) and manager.wait(after, 30)
