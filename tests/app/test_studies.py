"""Studies on the tune page as Streamlit runs them, over a study that has run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from drawn import words
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "unit"))
from inline_backend import InlineBackend  # noqa: E402
from sweep_sessions import RAISES  # noqa: E402

from triadapt.config import parse_config  # noqa: E402
from triadapt.runs.library import list_runs, new_race  # noqa: E402
from triadapt.runs.store import RunStore  # noqa: E402
from triadapt.sweeps.config import parse_sweep  # noqa: E402
from triadapt.sweeps.coordinator import Coordinator  # noqa: E402
from triadapt.sweeps.library import list_studies, new_study  # noqa: E402
from triadapt.ui.chooser import choices  # noqa: E402

SPACE = {"method": ["triadaptlora", "increlora"], "warmup": [2, 4], "interval": [5, 10]}


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    manager = SimpleNamespace(runs=tmp_path / "runs", active=list, status_of=lambda _: {})
    monkeypatch.setattr("triadapt.ui.manager.manager", lambda: manager)
    monkeypatch.chdir(ROOT)
    return tmp_path / "runs"


@pytest.fixture
def visit(runs: Path) -> Callable[..., AppTest]:
    def visit(**address: str) -> AppTest:
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        for name, value in {"tab": "Studies", **address}.items():
            app.query_params[name] = value
        app.switch_page("pages/tune.py").run()
        assert not app.exception, app.exception
        return app

    return visit


def study(runs: Path, **values: Any) -> Path:
    base = {"steps": 30, "warmup": 2, "interval": 5}
    folder = new_study(runs, parse_sweep({"name": "Tried", "base": base, "space": SPACE, "seeds": 2, **values}))
    Coordinator(folder, backend=InlineBackend()).run()
    return folder


def said(app: AppTest, kind: str) -> str:
    return "\n".join(words(element) for element in getattr(app, kind))


def test_a_new_study_is_counted_before_it_is_started_and_started_by_a_button(
    visit: Callable[..., AppTest], runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Path] = []
    monkeypatch.setattr("triadapt.ui.study_processes.StudyProcesses.resume", lambda _, folder: started.append(folder))
    app = visit()
    assert "18 points with 3 seeds each: **54 runs**" in said(app, "caption")
    app.text_input(key="sweep_warmup").set_value("20, 700").run()
    assert "12 points" in said(app, "caption") or "6 points" in said(app, "caption")
    app.text_input(key="sweep_interval").set_value("fast").run()
    assert "interval" in said(app, "error") and app.button(key="sweep_start").disabled
    assert ":material/error: 'fast': input should be a valid integer" in said(app, "caption")  # under the field
    app.text_input(key="sweep_interval").set_value("10").run()
    app.text_input(key="sweep_warmup").set_value("20, 40").run()
    app.button(key="sweep_start").click().run()
    (info,) = list_studies(runs)
    assert started == [info.folder] and app.query_params["study"] in (info.id, [info.id]) and not app.exception


def test_a_finished_study_is_told_drawn_and_listed(visit: Callable[..., AppTest], runs: Path) -> None:
    folder = study(runs)
    app = visit(study=folder.name)
    assert "Best of 8 points: " in said(app, "info")
    table = app.dataframe[0].value
    assert len(table) == 16 and set(table["state"]) == {"complete"} and set(table["steps"]) == {"30 / 30"}
    for kind in ("lines", "parallel", "importance", "size", "curves", "map"):
        app.segmented_control(key="sweep_chart").set_value(kind).run()
        assert not app.exception and not app.error


def test_a_study_without_an_evaluation_says_so_instead_of_an_empty_chart(
    visit: Callable[..., AppTest], runs: Path
) -> None:
    folder = new_study(runs, parse_sweep({"name": "New", "base": {"steps": 30}, "space": SPACE}))
    app = visit(study=folder.name)
    assert "No run has been evaluated yet; a curve begins with the first evaluation." in said(app, "info")
    assert not [one for one in app.get("bidi_component") if one.proto.name.endswith("figure")]


def test_failed_runs_are_listed_with_their_reason_and_a_seed_can_be_added(
    visit: Callable[..., AppTest], runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = study(runs, space={"weight_decay": [0.0, RAISES]}, seeds=1)
    resumed: list[Path] = []
    monkeypatch.setattr("triadapt.ui.study_processes.StudyProcesses.resume", lambda _, where: resumed.append(where))
    app = visit(study=folder.name)
    table = app.dataframe[0].value
    assert (
        "loss is not a number" in " ".join(table["what happened"]) and "1 failed" in app.get("progress")[0].proto.text
    )
    app.button(key="study_seed").click().run()
    assert resumed == [folder] and list_studies(runs)[0].trials == 4


def test_numbers_of_the_form_that_are_out_of_bounds_are_said_beside_their_field(visit: Callable[..., AppTest]) -> None:
    app = visit()
    app.number_input(key="sweep_seeds").set_value(0).run()
    assert ":material/error: 0: must be from 1 to 100" in said(app, "caption")
    assert app.button(key="sweep_start").disabled and "runs**" not in said(app, "caption")
    app.number_input(key="sweep_seeds").set_value(1).run()
    assert "18 points with 1 seed each: **18 runs**" in said(app, "caption") and not app.error


def test_a_study_that_is_not_there_shows_the_newest(visit: Callable[..., AppTest], runs: Path) -> None:
    folder = study(runs, seeds=1, space={"interval": [5, 10]})
    assert visit(study="study-20200101-000000-abcd").query_params["study"] in (folder.name, [folder.name])


def test_a_study_that_cannot_be_started_says_so_below_its_button(
    visit: Callable[..., AppTest], runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("triadapt.ui.study_processes.StudyProcesses.start", full)
    app = visit()
    app.button(key="sweep_start").click().run()
    order = [element for element in app.main if element.type in ("button", "error", "text_input")]
    assert "No space left" in said(app, "error") and order[-1].type == "error" and not app.exception


def test_the_form_asks_for_the_files_of_a_table_and_names_what_is_wrong_under_them(
    visit: Callable[..., AppTest], tmp_path: Path
) -> None:
    app = visit()
    app.selectbox(key="sweep_task").set_value("files").run()
    assert not app.error and "Name a file of training rows" in said(app, "info")  # there was no time to type it
    assert ":material/edit: Name a file" in said(app, "caption") and app.button(key="sweep_start").disabled
    app.text_input(key="sweep_files.train").set_value(str(tmp_path / "none.csv")).run()
    assert "none.csv': no such file" in said(app, "error") and app.button(key="sweep_start").disabled
    (tmp_path / "rows.csv").write_text("text,label\n" + "".join(f"row {i},{i % 2}\n" for i in range(200)))
    app.text_input(key="sweep_files.train").set_value(str(tmp_path / "rows.csv")).run()
    assert not app.error and "runs**" in said(app, "caption") and not app.button(key="sweep_start").disabled


def test_the_runs_of_a_study_are_one_row_that_opens(runs: Path) -> None:
    folder = study(runs)
    lone = new_race(runs, [parse_config({"method": "lora", "steps": 10})], "By itself")
    with RunStore.open(lone.folders[0]) as store:
        store.set_state("stopped")
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).switch_page("pages/runs.py").run()
    table = app.dataframe[0].value
    assert sorted(table["Race"]) == ["By itself", "Study: Tried"]
    row = table[table["Id"] == folder.name].iloc[0]
    assert (row["State"], row["Steps"], row["Method"]) == ("finished", "16 runs", "TriAdaptLoRA, IncreLoRA")
    app.session_state["chosen_run"] = folder.name
    app.run()
    assert app.button(key="open_study").label == "Open the study"
    app.button(key="list_study").click().run()
    table = app.dataframe[0].value
    assert len(table) == 18 and not app.exception
    assert len(set(table["Race"])) == 10 and "· warmup = 2, interval = 5, seed 7" in set(table["Race"])
    app.session_state["chosen_run"] = lone.folders[0].name
    app.run()
    app.button(key="delete_run").click().run()
    app.button(key="delete_cancel").click().run()
    assert lone.folders[0].exists() and not app.exception
    assert [title for title in choices(list_runs(runs)).values() if "Tried" in title] == []
