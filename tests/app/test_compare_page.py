"""The compare page as Streamlit runs it, and the way there."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from drawn import words
from streamlit.testing.v1 import AppTest

from triadapt.runs.library import new_race
from triadapt.views.frames import unpack

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "unit"))
from compare_runs import config, fill, store  # noqa: E402

GROWING = [[1, 1, 1, 1], [2, 1, 1, 1], [2, 2, 1, 1], [3, 2, 2, 1]]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    manager = SimpleNamespace(runs=tmp_path / "runs", active=list, status_of=lambda _: {})
    monkeypatch.setattr("triadapt.ui.manager.manager", lambda: manager)
    monkeypatch.chdir(ROOT)
    return tmp_path / "runs"


@pytest.fixture
def visit(runs: Path) -> Callable[..., AppTest]:
    def visit(names: str | None = None, page: str = "pages/compare.py") -> AppTest:
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        if names is not None:
            app.query_params["runs"] = names
        app.switch_page(page).run()
        assert not app.exception, app.exception
        return app

    return visit


def said(app: AppTest, kind: str = "caption") -> str:
    return "\n".join(words(element) for element in getattr(app, kind))


def drawn(app: AppTest) -> dict[str, Any]:
    """What the page sent to the browser."""
    (component,) = app.get("bidi_component")
    return unpack(component.proto.bytes)


def chosen(app: AppTest) -> list[str]:
    return list(app.multiselect(key="compare_pick").value)


def test_without_runs_the_healthy_recorded_race_is_compared(visit: Callable[..., AppTest]) -> None:
    app = visit()
    assert all(name.startswith("healthy-race.") for name in chosen(app)) and not app.error
    assert [run["state"] for run in drawn(app)["runs"]] == ["recorded"] * 4
    app.multiselect(key="compare_pick").set_value([]).run()
    assert not app.exception and "Choose runs above" in said(app, "info") and "runs" not in app.query_params


def test_without_a_wish_the_newest_race_that_has_begun_comes_before_the_recorded_one(
    visit: Callable[..., AppTest], runs: Path
) -> None:
    store(runs, config(), GROWING)  # a race of one run is nothing to compare
    assert chosen(visit()) == [f"healthy-race.{method}" for method in ("triadaptlora", "increlora", "adalora", "lora")]
    race = new_race(runs, [config(), config("lora")])
    for place in race.folders:
        fill(place, config(), GROWING)
    assert chosen(visit()) == race.run_ids


def test_seeds_are_grouped_and_every_state_is_sent(visit: Callable[..., AppTest], runs: Path) -> None:
    ids = [store(runs, config(seed=seed), GROWING) for seed in (1, 2)]
    ids.append(store(runs, config("lora"), [[2, 2, 2, 2]]))
    app = visit(",".join(ids))
    frame = drawn(app)
    assert [run["label"] for run in frame["runs"]] == ["TriAdaptLoRA seed 1", "TriAdaptLoRA seed 2", "LoRA"]
    assert [frame["groups"][run["group"]] for run in frame["runs"]] == ["TriAdaptLoRA", "TriAdaptLoRA", "LoRA"]
    assert [row.get("seed") for row in frame["configurations"]] == ["1", "2", "7"]
    assert [len(run["events"]) for run in frame["runs"]] == [3, 3, 0]
    assert "different right answers" in said(app)
    app.multiselect(key="compare_pick").set_value(ids[:2]).run()
    assert ",".join(ids[:2]) in app.query_params["runs"]


def test_wrong_names_get_one_line_each_and_are_left_out(visit: Callable[..., AppTest], runs: Path) -> None:
    good = store(runs, config(), GROWING)
    damaged = store(runs, config("lora"), [[2, 2]])
    (runs / damaged / "run.db").write_bytes(b"no database" * 200)
    app = visit(f"../../secret,{good},20260101-000000-abcd,{damaged}")
    lines = [words(error) for error in app.error]
    assert len(lines) == 3 and all(line.endswith("it is left out") and "\n" not in line for line in lines)
    assert "'../../secret' is not the id" in lines[0] and "there is no run or race" in lines[1]
    assert "recorded races are adalora-never-allocates, healthy-race" in lines[1]
    assert "is damaged" in lines[2]
    assert app.multiselect(key="compare_pick").value == [good]


def test_more_runs_than_fit_are_cut_and_said(visit: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triadapt.ui.compare_selection.MOST", 3)
    app = visit("healthy-race")
    assert "4 runs; at most 3 can be compared" in said(app, "error")
    assert len(app.multiselect(key="compare_pick").value) == 3


def test_runs_over_different_matrices_are_not_subtracted(visit: Callable[..., AppTest], runs: Path) -> None:
    ids = [store(runs, config(), GROWING), store(runs, config(planted={"blocks": 1}), [[1, 1], [2, 1]])]
    app = visit(",".join(ids))
    assert [run["matrices"] for run in drawn(app)["runs"]] == [0, 1]
    assert "adapt different matrices" in said(app) and "have different tasks" in said(app)


def test_a_run_that_has_recorded_nothing_is_named(visit: Callable[..., AppTest], runs: Path) -> None:
    made = store(runs, config(), GROWING)
    empty = new_race(runs, [config("lora")]).run_ids[0]
    assert f"{empty} is queued and has recorded nothing yet" in said(visit(f"{made},{empty}"), "info")


def test_rows_of_the_runs_page_lead_to_their_comparison(visit: Callable[..., AppTest], runs: Path) -> None:
    ids = [store(runs, config(seed=seed), GROWING) for seed in (1, 2)]
    app = visit(page="pages/runs.py")
    app.session_state["chosen_runs"] = ids
    app.run()
    app.button(key="compare_runs").click().run()
    assert not app.exception and ",".join(ids) in app.query_params["runs"]
    assert sorted(app.multiselect(key="compare_pick").value) == sorted(ids)
