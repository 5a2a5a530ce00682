"""A run that RankRecorder wrote: read and drawn like any other, and never trained from here."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from stand_in import Manager
from streamlit.testing.v1 import AppTest

from triadapt.config import parse_config
from triadapt.events import Finished
from triadapt.runs.library import find, make_runs
from triadapt.runs.store import RunStore
from triadapt.tasks.registry import TASKS
from triadapt.ui.address import OnView
from triadapt.ui.arrivals import look_for_training
from triadapt.ui.showing import first_view


def recorded(manager: Manager, state: str) -> str:
    config = parse_config({"method": "lora", "task": "elsewhere", "elsewhere": {"script": "mine.py"}, "steps": 10})
    race = make_runs(
        manager.runs,
        ["lora"],
        lambda place, run_id, race, position: RunStore.create(
            place, config, run_id=run_id, race=race, name="LoRA, mine.py"
        ).close(),
    )
    with RunStore.open(race.folders[0]) as store:
        store.set_state(state)
    return race.id


def test_play_opens_with_a_training_that_is_under_way_elsewhere(
    visit: Callable[..., AppTest],
    manager: Manager,
) -> None:
    race = recorded(manager, "running")
    app = visit()
    assert not app.exception and not app.error
    (chooser,) = [box for box in app.selectbox if box.key != "task"]
    assert chooser.value == race
    assert app.button(key="resume_button").disabled and app.button(key="stop_button").disabled


def test_it_stays_on_view_when_it_has_ended(visit: Callable[..., AppTest], manager: Manager) -> None:
    race = recorded(manager, "running")
    app = visit()
    assert app.query_params["run"] == race
    with RunStore.open(manager.runs / find(manager.runs, race)[0].id) as store:
        store.append(Finished(9, {}))
    (chooser,) = [box for box in app.run().selectbox if box.key != "task"]
    assert not app.exception and chooser.value == race


def test_what_ended_early_elsewhere_cannot_be_resumed_here(
    visit: Callable[..., AppTest],
    manager: Manager,
) -> None:
    race = recorded(manager, "stopped")
    (info,) = find(manager.runs, race)
    assert not info.resumable
    app = visit(run=race)
    assert not app.exception and app.button(key="resume_button").disabled


def test_it_is_no_task_that_can_be_chosen(visit: Callable[..., AppTest]) -> None:
    app = visit(task="elsewhere")
    assert [error.value.split(";")[0] for error in app.error] == [
        f"task = 'elsewhere' in the address\\: known are {', '.join(TASKS)}"
    ]


def test_a_page_that_is_open_already_turns_to_it(visit: Callable[..., AppTest], manager: Manager) -> None:
    app = visit()
    assert "run" not in app.query_params
    race = recorded(manager, "running")
    app.run()  # as the timer of the fragment does, which is not part of these tests
    assert app.query_params["run"] == race


def test_it_is_looked_for_only_while_nobody_has_named_a_race(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("triadapt.ui.arrivals.st.rerun", lambda: asked.append("rerun"))
    for named, expected in ((None, ["rerun"]), ("healthy-race", [])):
        monkeypatch.setattr("triadapt.ui.arrivals.on_view", lambda named=named: OnView(named))
        asked.clear()
        look_for_training(manager, first_view(manager))  # type: ignore[arg-type]
        assert asked == []
        recorded(manager, "running")
        look_for_training(manager, "healthy-race")  # type: ignore[arg-type]
        assert asked == expected
