"""The tune page as Streamlit runs it; what its component draws needs a browser (tests/browser/test_lab.py)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from drawn import words
from streamlit.testing.v1 import AppTest

from triadapt.config import parse_config, set_value
from triadapt.ui import control_fields, schedule_lab
from triadapt.views.lab.inputs import defaults, read_inputs

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def visit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    monkeypatch.setattr("triadapt.ui.manager.manager", lambda: None)
    monkeypatch.chdir(ROOT)

    def visit(**params: Any) -> AppTest:
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        for name, value in params.items():
            app.query_params[name] = value
        app.switch_page("pages/tune.py").run()
        assert not app.exception, app.exception
        return app

    return visit


def test_the_lab_opens_with_the_schedule_of_the_planted_task(visit: Callable[..., AppTest]) -> None:
    app = visit()
    assert not app.error and app.tabs[0].label == "Schedule lab"
    assert "TriAdaptLoraConfig(" in app.code[0].value and "warmup=60, interval=20" in app.code[0].value
    assert not app.query_params


def test_the_address_sets_the_inputs_and_the_toml_follows(visit: Callable[..., AppTest]) -> None:
    app = visit(warmup="30", growth="fixed", method=["triadaptlora", "adalora"], **{"adalora.final_share": "0.4"})
    app.button_group[0].set_value("TOML").run()
    text = app.code[0].value
    assert text.startswith("# triadapt train schedule.toml --method triadaptlora,adalora")
    assert "warmup = 30" in text and 'growth = "fixed"' in text and "final_share = 0.4" in text
    assert app.query_params["method"] == ["triadaptlora", "adalora"] and app.query_params["warmup"] == "30"


def test_wrong_values_get_a_line_each_and_impossible_ones_still_have_a_page(visit: Callable[..., AppTest]) -> None:
    app = visit(warmup="700", steps="0", method="adalora", rows="-3")
    assert [words(error).split(":")[0] for error in app.error] == ["steps = '0'", "rows = '-3'"]
    # No run starts like this, so there is no text to paste but the reason.
    assert not app.code and any("AdaLoRA's budget is final from step 450" in words(line) for line in app.caption)


def test_a_name_in_the_address_that_no_tab_knows_is_said_to_be_left_out(visit: Callable[..., AppTest]) -> None:
    app = visit(budget="20", warmup="30", run="x", study="y", **{"v.at": "3"})
    assert [words(error) for error in app.error] == ["budget in the address: unknown, left out"]


def test_the_link_to_play_says_what_its_controls_cannot_show(visit: Callable[..., AppTest]) -> None:
    app = visit(interval="400", warmup="1500", steps="9000")
    (line,) = [words(line) for line in app.caption if "Play" in words(line)]
    assert "Warm-up 1500 must be from 0 to 1000; Interval 400 must be from 1 to 200" in line


def test_what_the_lab_hands_to_play_is_what_play_reads() -> None:
    given = {"warmup": 31, "top_h": 3, "adalora.final_share": 0.3, "behaviour": "reference", "layers": 2}
    values, _ = read_inputs({**given, "from": "epochs", "rows": 700, "batch": 8})
    query = schedule_lab.play_query(values)
    known = {"method", "task", *(field.key for field in control_fields.ALL)}
    assert set(query) <= known and not control_fields.outside_controls(query)
    data: dict[str, Any] = {}
    for name, text in query.items():
        if name != "method":
            set_value(data, f"{name}={text}")
    config = parse_config({**data, "method": "adalora"})
    assert (config.warmup, config.top_h, config.steps) == (31, 3, 264)
    assert config.model_dump()["adalora"]["final_share"] == 0.3
    assert config.model_dump()["planted"]["blocks"] == 2
    assert schedule_lab.play_query({**defaults("text"), "method": ["lora"]})["task"] == "text"
