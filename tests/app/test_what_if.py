"""The what-if section as Streamlit runs it, without a browser and without a worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from drawn import words
from streamlit.testing.v1 import AppTest

from triadapt.config import RunConfig
from triadapt.events import Finished, Started
from triadapt.runs.bundle import import_bundle, read_bundle, recorded_races
from triadapt.runs.library import new_race
from triadapt.runs.store import RunStore
from triadapt.views.what_if.changes import changed
from triadapt.views.what_if.recording import recording_of

ROOT = Path(__file__).parent.parent.parent
HEALTHY = next(race.path for race in recorded_races() if race.slug == "healthy-race")


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A manager that notes what is submitted and makes its folder, as the real one does."""
    manager = SimpleNamespace(runs=tmp_path / "runs", active=list, status_of=lambda _: {}, submitted=[])
    for order in ("pause", "unpause", "step", "step_event", "stop"):
        setattr(manager, order, lambda _: False)

    def submit(configs: list[RunConfig], name: str) -> str:
        manager.submitted.append((configs, name))
        return new_race(manager.runs, configs, name).id

    manager.submit = submit
    monkeypatch.setattr("triadapt.ui.manager.manager", lambda: manager)
    monkeypatch.chdir(ROOT)
    return manager


@pytest.fixture
def visit(runs: SimpleNamespace) -> Callable[..., AppTest]:
    def visit(page: str = "pages/tune.py", **address: Any) -> AppTest:
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        app.query_params["tab"] = "What if"
        for name, value in address.items():
            app.query_params[name] = value
        app.switch_page(page).run()
        assert not app.exception, app.exception
        return app

    return visit


def said(app: AppTest) -> str:
    kinds = (app.caption, app.markdown, app.error, app.info)
    return "\n".join(str(words(element)) for elements in kinds for element in elements)


def control(app: AppTest, label: str) -> Any:
    return next(widget for widget in (*app.slider, *app.selectbox) if widget.label == label)


def test_a_first_visit_replays_a_recorded_run_at_once_and_says_how_good_a_guess_it_is(
    visit: Callable[..., AppTest],
) -> None:
    app = visit()
    assert control(app, "Recorded run").value == "healthy-race.triadaptlora"
    assert "First-order" in said(app) and "Measured on" in said(app) and "95 % interval" in said(app)
    assert "As it was" in said(app) and app.button(key="what_if_verify").disabled
    control(app, "Interval").set_value(40).run()
    assert "Interval 20 -> 40" in said(app) and "matrices end with another rank" in said(app)
    assert "Chosen, replayed" in app.dataframe[0].value and not app.button(key="what_if_verify").disabled
    assert "healthy-race.triadaptlora" in app.query_params["run"] and "interval=40" in app.query_params["set"]


def test_the_address_opens_a_run_and_its_changes_and_wrong_ones_cost_a_line(visit: Callable[..., AppTest]) -> None:
    app = visit(run="healthy-race.increlora", set="top_h=5,interval=0,growth=fixed")
    assert control(app, "Recorded run").value == "healthy-race.increlora" and control(app, "Top h").value == 5
    lines = [words(error) for error in app.error]
    assert len(lines) == 2 and all(line.startswith("set in the address: ") for line in lines)
    control(app, "Recorded run").set_value("healthy-race.adalora").run()
    assert not app.error and "set" not in app.query_params and "healthy-race.adalora" in app.query_params["run"]
    assert control(app, "Budget").max == 2  # AdaLoRA started from rank 3


def test_a_run_that_cannot_be_replayed_says_why(visit: Callable[..., AppTest]) -> None:
    app = visit(run="20260101-000000-abcd")
    assert "there is no run or race" in said(app) and control(app, "Recorded run").value == "healthy-race.triadaptlora"
    app = visit(run="healthy-race.lora")
    assert "healthy-race.lora has no decisions about rank to replay" in said(app)
    app = visit(run="adalora-never-allocates.adalora", set="interval=20")
    assert "recorded at rank events alone" in said(app)


def test_growth_mode_brings_top_h_where_it_counts(visit: Callable[..., AppTest]) -> None:
    app = visit()
    assert all(widget.label != "Top h" for widget in app.slider)
    control(app, "Growth mode").set_value("fixed").run()
    assert control(app, "Top h").value == 2 and "Growth mode linear -> fixed" in said(app)


def test_verify_starts_the_real_run_and_its_result_stays_beside_the_guess(
    visit: Callable[..., AppTest], runs: SimpleNamespace
) -> None:
    recorded = next(run for run in read_bundle(HEALTHY) if run.info().method == "triadaptlora")
    run_id = next(name for name in import_bundle(runs.runs, HEALTHY) if name.endswith("triadaptlora"))
    app = visit(run=run_id, set="interval=40")
    app.button(key="what_if_verify").click().run()
    assert not app.exception
    ((config,), name) = runs.submitted[0]
    assert config == changed(recording_of(recorded.events()).config, {"interval": 40})[0]
    assert name == "What if: interval 20 -> 40"
    assert app.button(key="what_if_verify").disabled and "queued" in list(app.dataframe[-1].value["State"])
    # The worker's part: what it trained is the recorded run itself, so what was recorded is the truth.
    folder = next(path for path in runs.runs.iterdir() if path.name.endswith("triadaptlora") and path.name != run_id)
    with RunStore.open(folder) as store:
        for stamped in recorded.events():
            event = stamped.event
            if not isinstance(event, Finished):
                store.append(replace(event, config=config.as_dict()) if isinstance(event, Started) else event)
        store.append(Finished(599, {}))
    app = visit(run=run_id, set="interval=40")
    metrics = {metric.label: metric.value for metric in app.metric}
    assert metrics["As it was"] == "100 %" and set(metrics) == {
        "Placed alike", "Rank correlation", "Events alike", "As it was",
    }  # fmt: skip
    kept = app.dataframe[-1].value
    assert list(kept["Change"]) == ["Interval 20 -> 40"] and list(kept["Run"]) == [folder.name]
    # Under other settings it stays in the list.
    control(app, "Interval").set_value(10).run()
    assert not app.metric and list(app.dataframe[-1].value["Change"]) == ["Interval 20 -> 40"]


def test_a_run_that_cannot_be_started_says_why(visit: Callable[..., AppTest], runs: SimpleNamespace) -> None:
    def refuse(*_: object) -> str:
        raise OSError("the disk is full")

    runs.submit = refuse
    app = visit(set="interval=40")
    app.button(key="what_if_verify").click().run()
    assert "the disk is full" in said(app)


def test_play_and_runs_lead_here(visit: Callable[..., AppTest], runs: SimpleNamespace) -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    assert "[What if?](tune?tab=What+if&run=healthy-race)" in said(app)
    assert control(visit(run="healthy-race"), "Recorded run").value == "healthy-race.triadaptlora"
    run_id = next(name for name in import_bundle(runs.runs, HEALTHY) if name.endswith("increlora"))
    app = visit("pages/runs.py")
    app.session_state["chosen_run"] = run_id
    app.run()
    app.button(key="what_if_run").click().run()
    assert not app.exception and control(app, "Recorded run").value == run_id
