"""A class on the pages: who is who, what is locked and hidden, what students may steer, the teacher's panel."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from drawn import words
from stand_in import Manager, errors
from streamlit.testing.v1 import AppTest

from triadapt.classroom import following
from triadapt.classroom.server import CODE, KEY
from triadapt.classroom.settings import parse_class
from triadapt.classroom.store import class_file, list_classes, read_class, write_class
from triadapt.config import RunConfig, parse_config
from triadapt.runs.library import new_race
from triadapt.ui.classroom import follow
from triadapt.ui.classroom.room import Room
from triadapt.ui.classroom.seat import SEAT, Seat

THE_KEY = "k" * 22
LOCKED = {
    "locked": {"warmup": 30, "method": ["lora", "triadaptlora"], "growth": "fixed"},
    "hidden": ["interval", "seed"],
}

Visit = Callable[..., AppTest]


class Queue(Manager):
    """Remembers who asked, too."""

    def __init__(self, runs: Path) -> None:
        super().__init__(runs)
        self.owners: dict[str, str] = {}
        self.asked: list[tuple[str, int | None]] = []
        self.orders: list[str] = []

    def submit(  # type: ignore[override]
        self, configs: list[RunConfig], name: str | None = None, *, visitor: str = "", most: int | None = None
    ) -> str:
        self.asked.append((visitor, most))
        race = super().submit(configs, name)
        self.owners[race] = visitor
        return race

    def resume(self, view: str, *, visitor: str = "", most: int | None = None) -> str:  # type: ignore[override]
        return super().resume(view)

    def made_by(self, race_id: str) -> str | None:
        return self.owners.get(race_id)

    def stop(self, race_id: str) -> bool:  # type: ignore[override]
        self.orders.append(f"stop {race_id}")
        return True


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Queue:
    queue = Queue(tmp_path / "runs")
    monkeypatch.setenv("TRIADAPT_RUNS", str(queue.runs))
    monkeypatch.setattr("triadapt.ui.manager.shared_manager", lambda: queue)
    monkeypatch.chdir(Path(__file__).parent.parent.parent)
    return queue


@pytest.fixture
def teach(manager: Queue, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes the class of the server."""

    def teach(**settings: Any) -> None:
        monkeypatch.setenv(CODE, "class")
        monkeypatch.setenv(KEY, THE_KEY)
        write_class(manager.runs, "class", parse_class(settings))

    return teach


def a_race(manager: Queue, owner: str) -> str:
    race = new_race(manager.runs, [parse_config({"method": "lora"})], "A race").id
    manager.owners[race] = owner
    return race


def freed(widget: Any) -> Any:
    """The widget for a browser that does not keep to what is disabled."""
    widget.proto.disabled = False
    return widget


def seat_of(app: AppTest) -> Seat:
    found = app.session_state[SEAT]
    assert isinstance(found, Seat)
    return found


def test_whoever_comes_without_the_key_is_a_student_and_the_key_leaves_the_address(
    teach: Callable[..., None], visit: Visit
) -> None:
    teach(title="Spring")
    student = visit()
    assert any("Spring" in words(caption) for caption in student.caption) and not seat_of(student).teacher
    wrong = visit(teacher="x" * 22)
    assert not seat_of(wrong).teacher and "not the key of this class" in seat_of(wrong).problem
    teacher = visit(teacher=THE_KEY)
    assert seat_of(teacher).teacher and "teacher" not in teacher.query_params
    assert len({seat_of(app).visitor for app in (student, wrong, teacher)}) == 3


def test_locked_and_hidden_controls_hold_also_against_the_address(
    teach: Callable[..., None], visit: Visit, manager: Queue
) -> None:
    teach(**LOCKED)
    app = visit(warmup="500", interval="3", method="adalora", growth="linear", task="files")
    said = errors(app)
    assert "warmup = '500' in the address: fixed by the teacher at 30" in said
    assert "method = 'adalora' in the address: fixed by the teacher at lora, triadaptlora" in said
    assert "interval in the address: not to be chosen in this class" in said
    assert "task = 'files' in the address: known are planted, text" in said
    locked = app.slider(key="locked-warmup-30")
    assert locked.disabled and locked.value == 30 and "The teacher has fixed this." in locked.help
    assert not [one for one in app.slider if one.key in ("warmup", "interval")]
    assert not [one for one in app.number_input if one.key == "seed"]
    # What the browser says of a locked control does not count, nor does what it says of one that is not drawn.
    freed(locked).set_value(900)
    app.session_state["interval"] = 1
    app.button(key="run_button").click().run()
    (configs,) = manager.submitted
    assert {config.method for config in configs} == {"lora", "triadaptlora"}
    assert {(one.warmup, one.interval, one.growth, one.seed) for one in configs} == {(30, 20, "fixed", 7)}
    assert manager.asked == [(seat_of(app).visitor, 3)]


def test_where_training_is_off_nothing_starts_whatever_is_pressed(
    teach: Callable[..., None], visit: Visit, manager: Queue
) -> None:
    teach(training=False)
    app = visit()
    button = app.button(key="run_button")
    assert button.disabled and "Training is off in this class" in button.help
    assert any("Training is off" in one.value for one in app.info)
    app.session_state["on_view"].wanted = "race"  # as if it had been pressed
    app.run()
    assert not manager.submitted and "Training is off in this class" in errors(app)
    teacher = visit(teacher=THE_KEY)
    teacher.button(key="run_button").click().run()
    assert len(manager.submitted) == 1 and manager.asked == [(seat_of(teacher).visitor, None)]


def test_a_student_steers_races_of_their_own_only(teach: Callable[..., None], visit: Visit, manager: Queue) -> None:
    teach(pages=["learn", "play", "runs"])
    race = a_race(manager, "somebody else")
    manager.ours = [race]
    app = visit(run=race)
    assert app.button(key="stop_button").disabled
    freed(app.button(key="stop_button")).click().run()
    assert not manager.orders
    manager.owners[race] = seat_of(app).visitor
    app.run()
    app.button(key="stop_button").click().run()
    assert manager.orders == [f"stop {race}"]
    teacher = visit(teacher=THE_KEY, run=race)
    teacher.button(key="stop_button").click().run()
    assert manager.orders == [f"stop {race}"] * 2


def test_on_runs_a_student_has_no_import_and_changes_nothing_of_others(
    teach: Callable[..., None], visit: Visit, manager: Queue
) -> None:
    teach(pages=["runs", "play"])
    race = a_race(manager, "somebody else")
    app = visit("pages/runs.py")
    app.session_state["chosen_run"] = f"{race}-lora"
    app.run()
    assert not app.exception and not app.expander
    assert "delete_run" not in [one.key for one in app.button] and not app.text_input
    manager.owners[race] = seat_of(app).visitor
    app.run()
    assert app.button(key="delete_run") and app.text_input(key=f"name-{race}-lora")


def test_pages_that_are_not_part_of_the_class_are_not_there(teach: Callable[..., None], visit: Visit) -> None:
    teach(pages=["learn"], lesson="lora")
    for page in ("pages/own.py", "pages/tune.py", "pages/runs.py", "pages/play.py"):
        with pytest.raises(ValueError, match="Could not find a navigation page"):
            visit(page)
    teach(pages=["tune"])
    assert [tab.label for tab in visit("pages/tune.py").tabs] == ["Schedule lab", "What if"]
    assert [tab.label for tab in visit("pages/own.py", teacher=THE_KEY).tabs]
    with pytest.raises(ValueError, match="Could not find a navigation page"):
        visit("pages/methods.py")
    teach(pages=["methods"])
    assert "On the front" in "".join(words(one) for one in visit("pages/methods.py").info)
    (card,) = visit("pages/methods.py", card="adalora").get("link_button")
    assert card.proto.url.startswith("https://") and not visit("pages/methods.py", card="adalora").get("page_link")


def test_a_damaged_class_lets_nobody_train_and_says_so(
    teach: Callable[..., None], visit: Visit, manager: Queue
) -> None:
    teach()
    class_file(manager.runs, "class").write_text("title = ")
    app = visit()
    assert app.button(key="run_button").disabled
    assert any("class class is damaged" in words(caption) for caption in app.caption)
    teacher = visit("pages/learn.py", teacher=THE_KEY)
    assert "class class is damaged" in errors(teacher)


def test_students_begin_at_the_race_the_teacher_chose(teach: Callable[..., None], visit: Visit) -> None:
    teach(run="warmup-too-long")
    assert any("The warm-up ends 60 steps before" in words(caption) for caption in visit().caption)


def test_a_teacher_makes_a_class_with_the_values_of_play(visit: Visit, manager: Queue) -> None:
    app = visit(warmup="44")
    app.switch_page("pages/learn.py").run()
    app.text_input(key="class-None-title").set_value("Autumn")
    app.selectbox(key="class-None-lesson").set_value("importance")
    app.multiselect(key="class-None-locked").set_value(["warmup", "planted.blocks"]).run()
    assert any("Warm-up 44; Blocks 4" in words(caption) for caption in app.caption)
    app.button(key="class_save").click().run()
    assert not app.exception
    (code,) = list_classes(manager.runs)
    settings = read_class(manager.runs, code)
    assert (settings.title, settings.lesson) == ("Autumn", "importance")
    assert settings.locked == {"warmup": 44, "planted.blocks": 4}
    assert any(f"/?class={code}" in one.value for one in app.code)
    assert "Other machines cannot reach" in words(app.warning[0]) or "no network" in words(app.warning[0])
    assert not app.toggle(key="class_follow_me").value
    # Who comes by that link is in the class, on this server too; whoever comes without is not.
    student = visit(**{"class": code})
    assert student.query_params["lesson"] == "importance" and not student.expander
    student.switch_page("pages/play.py").run()
    assert student.slider(key="locked-warmup-44").disabled and student.query_params["class"] == code
    assert visit().slider(key="warmup").value == 60


def test_a_class_that_is_not_there_is_said(visit: Visit) -> None:
    app = visit("", **{"class": "nobody"})
    assert "there is none of that code here" in seat_of(app).problem and not app.slider(key="warmup").disabled


def test_a_student_goes_along_leaves_and_comes_back(teach: Callable[..., None], visit: Visit) -> None:
    teach(title="Spring")
    following.turn("class", True)
    try:
        following.move("class", "play", run="warmup-too-long")
        app = visit()
        assert app.query_params["run"] == "warmup-too-long"
        app.button(key="class_leave").click().run()
        following.move("class", "play", run="healthy-race")
        app.run()
        assert app.query_params["run"] == "warmup-too-long"
        app.button(key="class_follow").click().run()
        assert app.query_params["run"] == "healthy-race"
        teacher = visit(teacher=THE_KEY, run="adalora-never-allocates")
        assert following.place_of("class").run == "adalora-never-allocates" and not teacher.exception
        app.run()
        assert app.query_params["run"] == "adalora-never-allocates"
    finally:
        following.turn("class", False)


def test_a_class_that_was_changed_is_drawn_anew_and_its_new_page_is_gone_to(
    teach: Callable[..., None], visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fragment keeps what it was given at the last whole run: here, of a class without the page of the move."""
    teach(title="Spring", pages=["play"])
    fragment, stale = follow.st.fragment, Room("class", "Spring", pages=("play",))

    def timed(draw: Callable[..., None], **every: Any) -> Callable[..., None]:
        if draw is not follow._bar:
            return fragment(draw, **every)
        return lambda now: draw(given.pop() if given else now)

    monkeypatch.setattr(follow.st, "fragment", timed)
    given: list[Room] = []
    app = visit()
    following.turn("class", True)
    try:
        following.move("class", "learn", "threshold")
        app.run()
        assert "lesson" not in app.query_params  # not a page of theirs, yet
        teach(title="Summer", pages=["learn", "play"])
        given.append(stale)
        app.run()
        assert not app.exception and not given and app.query_params["lesson"] == "threshold"
    finally:
        following.turn("class", False)


def test_the_tour_begins_by_itself_for_nobody_in_a_class(teach: Callable[..., None], visit: Visit) -> None:
    def begins(app: AppTest) -> bool:
        (tour,) = (one for one in app.get("bidi_component") if one.proto.component_name.endswith("triadapt_tour"))
        return bool(json.loads(tour.proto.json)["by_itself"])

    assert begins(visit())
    teach(title="Spring")
    assert not begins(visit()) and begins(visit(teacher=THE_KEY))
