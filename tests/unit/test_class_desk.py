"""Races of lessons in a class, as students ask for them: through the desk, with the real queue behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_workers_manager import FAKE, FOREVER, HERE, configs, until_step

from triadapt.classroom.settings import parse_class
from triadapt.classroom.store import class_file, write_class
from triadapt.config import ConfigError
from triadapt.runs.info import RunError
from triadapt.runs.library import list_runs
from triadapt.ui.classroom.desk import Desk
from triadapt.ui.classroom.seat import Seat
from triadapt.workers.manager import RunManager

LESSON, YOURS = "capstone", {"seed": 5, "warmup": 40}


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunManager]:
    monkeypatch.setenv("PYTHONPATH", HERE)
    monkeypatch.setenv("TRIADAPT_RUNS", str(tmp_path))
    manager = RunManager(tmp_path, open_sessions=FAKE)
    yield manager
    manager.shutdown()


def teach(manager: RunManager, **settings: Any) -> None:
    write_class(manager.runs, "spring", parse_class(settings))


def desk(manager: RunManager, visitor: str, *, teacher: bool = False) -> Desk:
    return Desk(manager, Seat(visitor, "spring", teacher))


def busy(manager: RunManager) -> str:
    """Something that trains until it is stopped, so that all else waits."""
    race = desk(manager, "teacher", teacher=True).submit(configs(steps=FOREVER))
    until_step(manager, race, 1)
    return race


def test_a_lesson_trains_with_its_own_settings_and_not_with_those_fixed_on_play(manager: RunManager) -> None:
    teach(manager, locked={"warmup": 20, "steps": 600}, hidden=["seed"])
    busy(manager)
    ann = desk(manager, "ann")
    race, seed = ann.submit_lesson(LESSON, YOURS)
    runs = [info for info in list_runs(manager.runs) if info.race == race]
    assert seed == 5 and [info.config["warmup"] for info in runs] == [30, 40] and runs[0].name.startswith("Lesson: ")
    assert ann.made_by(race) == "ann"
    with pytest.raises(RunError, match="warmup = 0: fixed by the teacher at 20"):
        ann.submit(configs())
    with pytest.raises(ConfigError, match="learning_rate = 1: not open in this lesson"):
        ann.submit_lesson(LESSON, {"learning_rate": 1})


def test_where_training_is_off_lessons_train_for_the_teacher_alone(manager: RunManager) -> None:
    teach(manager, training=False)
    busy(manager)
    before = manager.active()
    with pytest.raises(RunError, match="Training is off in this class"):
        desk(manager, "ann").submit_lesson(LESSON, YOURS)
    assert manager.active() == before and len(list_runs(manager.runs)) == 1
    race, _ = desk(manager, "teacher", teacher=True).submit_lesson(LESSON, YOURS)
    assert manager.active() == [*before, race]


def test_a_class_whose_file_is_damaged_trains_no_lesson(manager: RunManager) -> None:
    teach(manager)
    class_file(manager.runs, "spring").write_text("title = ")
    with pytest.raises(RunError, match=r"^class spring is damaged, [^\n]+; save it again or delete spring\.toml$"):
        desk(manager, "ann").submit_lesson(LESSON, YOURS)
    assert not manager.active() and not list_runs(manager.runs)


def test_three_races_of_lessons_may_wait_and_one_taken_out_makes_room(manager: RunManager) -> None:
    teach(manager)
    busy(manager)
    ann = desk(manager, "ann")
    races = [ann.submit_lesson(LESSON, YOURS)[0] for _ in range(3)]
    with pytest.raises(RunError, match="3 races of yours wait, the most that may"):
        ann.submit_lesson(LESSON, YOURS)
    desk(manager, "ben").submit_lesson(LESSON, YOURS)
    assert ann.stop(races[0])
    ann.submit_lesson(LESSON, YOURS)


def test_a_lesson_of_another_goes_on_whatever_a_student_orders(manager: RunManager) -> None:
    teach(manager)
    running = busy(manager)
    race, _ = desk(manager, "ann").submit_lesson(LESSON, YOURS)
    ben = desk(manager, "ben")
    for order in (ben.stop, ben.pause, ben.unpause, ben.step, ben.step_event):
        assert order(race) is False and order(running) is False
    assert manager.active() == [running, race]
    with pytest.raises(RunError, match="not one of yours"):
        ben.resume(race)
    assert desk(manager, "teacher", teacher=True).stop(race) and manager.active() == [running]
