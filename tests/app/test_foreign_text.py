"""Text that came from elsewhere is shown as it is, never drawn: a bundle or a link could bring pictures and links."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "unit"))
from inline_backend import InlineBackend  # noqa: E402

from triadapt.config import RunConfig, parse_config  # noqa: E402
from triadapt.events import Failed  # noqa: E402
from triadapt.runs.info import RunError  # noqa: E402
from triadapt.runs.library import new_race  # noqa: E402
from triadapt.runs.store import RunStore  # noqa: E402
from triadapt.sweeps.config import parse_sweep  # noqa: E402
from triadapt.sweeps.coordinator import Coordinator  # noqa: E402
from triadapt.sweeps.library import new_study  # noqa: E402
from triadapt.sweeps.record import StudyRecord, read_study  # noqa: E402
from triadapt.ui.notes import settings_line  # noqa: E402

PICTURE = "![x](http://a/b.png)"
SHOWN = r"\!\[x\]\(http\://a/b.png\)"


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    status = {"state": "failed", "message": f"m{PICTURE}", "position": None, "speed": None, "eta": None}
    manager = SimpleNamespace(runs=tmp_path / "runs", active=list, status_of=lambda _: status)
    for order in ("pause", "unpause", "step", "step_event", "stop", "submit", "resume"):
        setattr(manager, order, lambda *_: False)
    monkeypatch.setattr("triadapt.ui.manager.manager", lambda: manager)
    monkeypatch.chdir(ROOT)
    return tmp_path / "runs"


@pytest.fixture
def visit(runs: Path) -> Callable[..., AppTest]:
    def visit(page: str = "", **address: str) -> AppTest:
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        for name, value in address.items():
            app.query_params[name] = value
        return safe((app.switch_page(page) if page else app).run())

    return visit


def safe(app: AppTest) -> AppTest:
    """Nothing on the page would be drawn as the picture."""
    assert not app.exception, app.exception
    assert all(PICTURE not in text for text in texts(app))
    return app


def texts(app: AppTest) -> list[str]:
    """Everything that Streamlit reads as Markdown."""
    kinds = ("error", "warning", "info", "caption", "markdown")
    return [element.value for kind in kinds for element in getattr(app, kind)] + [button.label for button in app.button]


def failed_run(runs: Path) -> Path:
    race = new_race(runs, [parse_config({"method": "lora", "steps": 10})], PICTURE)
    with RunStore.open(race.folders[0]) as store:
        store.append(Failed(3, f"out of {PICTURE}", "Traceback"))
    return race.folders[0]


def test_why_a_run_ended_on_the_play_and_on_the_runs_page(runs: Path, visit: Callable[..., AppTest]) -> None:
    folder = failed_run(runs)
    assert any(f"out of {SHOWN}" in text for text in texts(visit(run=folder.name)))
    app = visit("pages/runs.py")
    app.session_state["chosen_run"] = folder.name
    assert any(f"out of {SHOWN}" in text for text in texts(safe(app.run())))


def test_the_settings_of_a_race() -> None:
    assert settings_line({"growth": PICTURE}) == f"This race: growth {SHOWN}."


@pytest.mark.parametrize(
    ("page", "name"),
    [
        ("", "steps"),
        ("", "method"),
        ("", "task"),
        ("", "run"),
        ("pages/compare.py", "runs"),
        ("pages/tune.py", "steps"),
        ("pages/methods.py", "kind"),
        ("pages/methods.py", "card"),
    ],
)
def test_values_in_the_address(visit: Callable[..., AppTest], page: str, name: str) -> None:
    assert any(SHOWN in text for text in texts(visit(page, **{name: PICTURE})))


@pytest.mark.parametrize(("name", "also"), [("run", {}), ("set", {"run": "healthy-race.triadaptlora"})])
def test_values_in_the_address_of_a_what_if(visit: Callable[..., AppTest], name: str, also: dict[str, str]) -> None:
    value = PICTURE if name == "run" else f"interval={PICTURE}"
    app = visit("pages/tune.py", tab="What if", **{**also, name: value})
    assert any(SHOWN in text for text in texts(app))


def test_an_unknown_name_in_the_address(visit: Callable[..., AppTest]) -> None:
    assert any(SHOWN in text for text in texts(visit(**{PICTURE: "1"})))


def test_a_run_that_cannot_be_replayed(
    runs: Path, visit: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> RunConfig:
        raise RunError(f"no {PICTURE}")

    monkeypatch.setattr("triadapt.ui.what_if.read_recording", refuse)
    assert any(f"no {SHOWN}" in text for text in texts(visit("pages/tune.py", tab="What if")))


def test_cautions_of_a_comparison_and_of_a_replay(
    runs: Path, visit: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("compare_runs", "what_if"):
        monkeypatch.setattr(f"triadapt.ui.{module}.cautions", lambda _: [f"mind {PICTURE}"])
    two = "healthy-race.lora,healthy-race.adalora"
    assert any(f"mind {SHOWN}" in text for text in texts(visit("pages/compare.py", runs=two)))
    assert any(f"mind {SHOWN}" in text for text in texts(visit("pages/tune.py", tab="What if")))


def test_points_errors_and_the_recommendation_of_a_study(
    runs: Path, visit: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    base = {"steps": 30, "warmup": 2, "interval": 5}
    folder = new_study(runs, parse_sweep({"name": PICTURE, "base": base, "space": {"warmup": [2, 4]}, "seeds": 1}))
    Coordinator(folder, backend=InlineBackend()).run()

    def foreign(where: Path) -> StudyRecord:
        """A study over names of files."""
        found = read_study(where)
        trials = [replace(trial, point={"files.train": f"{trial.number}{PICTURE}"}, error=f"e{PICTURE}")
                  for trial in found.trials]  # fmt: skip
        config = parse_sweep({"space": {"files.train": [str(trial.point["files.train"]) for trial in trials]}})
        return replace(found, trials=tuple(trials), config=config, info=replace(found.info, message=f"m{PICTURE}"))

    monkeypatch.setattr("triadapt.ui.sweep_section.read_study", foreign)
    app = visit("pages/tune.py", tab="Studies", study=folder.name)
    assert any("Best of 2 points" in text and SHOWN in text for text in texts(app))
    assert any(f"m{SHOWN}" in text for text in texts(app))
    app.session_state["sweep_trial"] = (folder.name, 0)
    (chosen,) = [text for text in texts(safe(app.run())) if text.startswith("**")]
    assert f"0{SHOWN}" in chosen and f"e{SHOWN}" in chosen


def test_what_stands_wrongly_in_the_form_of_a_study(visit: Callable[..., AppTest]) -> None:
    app = visit("pages/tune.py", tab="Studies")
    app.text_input(key="sweep_interval").set_value(PICTURE).run()
    assert sum(SHOWN in text for text in texts(safe(app))) == 2  # under the field, and by the button
