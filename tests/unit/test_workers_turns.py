"""Fair turns between visitors of one worker."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fake_sessions import TROUBLE
from hypothesis import given
from hypothesis import strategies as st
from test_workers_manager import FAKE, FOREVER, HERE, configs, info, until, until_step

from triadapt.runs.info import RunError
from triadapt.runs.library import Race as MadeRace
from triadapt.runs.library import new_race
from triadapt.workers.manager import RunManager
from triadapt.workers.turns import Turns

VISITORS = st.sampled_from("abcde")


@dataclass(frozen=True)
class Race:
    visitor: str
    number: int


# What happens on a server: a visitor asks for a race, or (None) the worker is free for the next.
HAPPENINGS = st.lists(st.one_of(VISITORS, st.none()), max_size=60)
MOST = st.sampled_from([1, 2, 1000])


@given(HAPPENINGS, MOST)
def test_a_visitors_next_race_waits_for_at_most_one_race_of_each_other(happenings: list[str | None], most: int) -> None:
    """Between the moment a race is the first of its visitor to wait and the moment it is served, no other visitor is
    served twice, whoever comes meanwhile; and a visitor's own races keep their order."""
    turns, waiting, begun = Turns(most), [], []
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


@given(HAPPENINGS, MOST)
def test_positions_come_true_when_nothing_else_comes(happenings: list[str | None], most: int) -> None:
    turns, waiting = Turns(most), []
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


def test_visitors_who_come_once_are_forgotten_and_those_who_wait_are_not() -> None:
    turns = Turns(most=3)
    turns.serve("ann")
    for number in range(50):
        turns.serve(f"guest {number}")
        turns.order([Race("ann", 0)])
    assert len(turns._served) == 51  # whoever was served before ann could be forgotten, and nobody was
    turns.serve("ann")
    turns.order([Race("ann", 1), Race("new", 2)])
    assert list(turns._served) == ["guest 48", "guest 49", "ann"]
    turns.order([])
    assert list(turns._served) == ["guest 48", "guest 49", "ann"]


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


def test_a_race_is_written_while_others_ask_and_keeps_its_place(
    manager: RunManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that takes its time over one visitor's folders holds nobody up; the limit counts what is on its way."""
    running = manager.submit(configs(steps=FOREVER), visitor="ann")
    until_step(manager, running, 1)
    writing, go_on, made = threading.Event(), threading.Event(), []

    def slow(*given: Any) -> MadeRace:
        writing.set()
        assert go_on.wait(30)
        return new_race(*given)

    thread = threading.Thread(target=lambda: made.append(manager.submit(configs(), visitor="ben", most=1)))
    with monkeypatch.context() as patched:
        patched.setattr("triadapt.workers.manager.new_race", slow)
        thread.start()
        assert writing.wait(30)
    try:
        assert from_another_thread(manager.active) == [running]
        cleo = from_another_thread(lambda: manager.submit(configs(), visitor="cleo"))
        with pytest.raises(RunError, match="1 races of yours wait"):
            from_another_thread(lambda: manager.submit(configs(), visitor="ben", most=1))
    finally:
        go_on.set()
        thread.join(30)
    assert manager.active() == [running, cleo, *made] and manager.made_by(made[0]) == "ben"


def from_another_thread(ask: Callable[[], Any]) -> Any:
    """What it says, where a lock held elsewhere would otherwise stop the test for good."""
    thread = ThreadPoolExecutor(1)
    try:
        return thread.submit(ask).result(10)
    finally:
        thread.shutdown(wait=False)


def test_a_place_is_free_again_when_writing_fails(manager: RunManager, monkeypatch: pytest.MonkeyPatch) -> None:
    running = manager.submit(configs(steps=FOREVER), visitor="ann")
    until_step(manager, running, 1)

    def full(*given: Any) -> MadeRace:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("triadapt.workers.manager.new_race", full)
        for _ in range(2):
            with pytest.raises(OSError, match="No space"):
                manager.submit(configs(), visitor="ann", most=1)
    assert manager.active() == [running] and not manager._being_made
    manager.submit(configs(), visitor="ann", most=1)


def test_a_race_that_is_whole_when_the_app_has_closed_is_stopped(
    manager: RunManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closing(*given: Any) -> MadeRace:
        manager.shutdown()
        return new_race(*given)

    monkeypatch.setattr("triadapt.workers.manager.new_race", closing)
    race = manager.submit(configs(), visitor="ann")
    assert info(manager, race).state == "stopped" and not manager.active()


def test_who_made_a_race_is_known_of_the_newest(manager: RunManager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triadapt.workers.manager.MOST_KNOWN_RACES", 2)
    races = [manager.submit(configs(), visitor="ann") for _ in range(3)]
    assert [manager.made_by(race) for race in races] == [None, "ann", "ann"]
