"""The learn page without a browser: addresses, races, and what a class may do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from stand_in import Manager, errors
from streamlit.testing.v1 import AppTest

from triadapt.config import parse_config
from triadapt.lessons.registry import FIRST
from triadapt.ui.learn_component import KEY
from triadapt.views.frames import unpack

PAGE = "pages/learn.py"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every message that the page has for the browser."""
    messages: list[bytes] = []
    monkeypatch.setattr("triadapt.ui.lessons.learn", messages.append)
    return messages


def say(app: AppTest, name: str, **word: object) -> None:
    """What the browser would say."""
    app.session_state[KEY] = {name: word}
    app.run()
    assert not app.exception, app.exception


def test_the_address_names_the_lesson(visit: Callable[..., AppTest], sent: list[bytes]) -> None:
    app = visit(PAGE)
    assert unpack(sent[-1])["lesson"] == FIRST and app.query_params["lesson"] == FIRST
    app = visit(PAGE, lesson="threshold")
    assert not errors(app)


def test_a_lesson_that_is_none_is_named(visit: Callable[..., AppTest], sent: list[bytes]) -> None:
    app = visit()
    app.query_params["lesson"] = "*nowhere*"
    app.switch_page(PAGE).run()
    assert "lesson" in errors(app) and "known are low-rank" in errors(app)
    assert unpack(sent[-1])["lesson"] == FIRST


def test_a_lesson_trains_its_race_once_a_wish(
    visit: Callable[..., AppTest], sent: list[bytes], manager: Manager
) -> None:
    app = visit(PAGE)
    say(app, "lesson", slug="capstone", turn=1)
    assert unpack(sent[-1])["lesson"] == "capstone"
    say(app, "run", lesson="capstone", values={"warmup": 10}, turn=2)
    app.run()
    (race,) = manager.submitted
    assert [config.warmup for config in race] == [30, 10]
    live = unpack(sent[-1])["data"]["live"]
    assert live["turn"] == 2 and [run["called"] for run in live["runs"]] == ["the default schedule", "yours"]
    assert app.query_params["race"]


def test_a_wish_that_cannot_be_granted_says_why(
    visit: Callable[..., AppTest], sent: list[bytes], manager: Manager
) -> None:
    app = visit(PAGE)
    say(app, "lesson", slug="capstone", turn=1)
    say(app, "run", lesson="capstone", values={"interval": 0}, turn=2)
    assert unpack(sent[-1])["data"]["problem"] == "interval = 0: a whole number from 1 to 299"
    manager.error = "the app is closing"
    say(app, "run", lesson="capstone", values={}, turn=3)
    data = unpack(sent[-1])["data"]
    assert data["problem"] == "the app is closing" and data["heeded"] == 3 and not manager.submitted
    say(app, "lesson", slug="one-rank", turn=4)
    assert not unpack(sent[-1])["data"]["problem"]  # it was about another lesson


@pytest.mark.parametrize("slug", ["low-rank", "glossary", "capstone", "prune-or-grow", "wrong-ties"])
def test_somebodys_other_race_in_the_address_is_no_race_of_the_lesson(
    visit: Callable[..., AppTest], sent: list[bytes], manager: Manager, slug: str
) -> None:
    race = manager.submit([parse_config({"method": method}) for method in ("lora", "adalora")])
    app = visit()
    app.query_params["lesson"], app.query_params["race"] = slug, race
    app.switch_page(PAGE).run()
    assert not app.exception and unpack(sent[-1])["data"]["live"] is None and "race" not in app.query_params


def test_a_race_of_the_lesson_in_the_address_is_shown(
    visit: Callable[..., AppTest], sent: list[bytes], manager: Manager
) -> None:
    race, _ = manager.submit_lesson("wrong-ties", {"suspect": "budget"})
    app = visit()
    app.query_params["lesson"], app.query_params["race"] = "wrong-ties", race
    app.switch_page(PAGE).run()
    assert unpack(sent[-1])["data"]["live"]["seed"] == 3 and app.query_params["race"] == race


def test_a_race_in_the_address_that_is_none_is_forgotten(visit: Callable[..., AppTest], sent: list[bytes]) -> None:
    app = visit()
    app.query_params["lesson"], app.query_params["race"] = "capstone", "../../etc"
    app.switch_page(PAGE).run()
    assert not app.exception and unpack(sent[-1])["data"]["live"] is None and "race" not in app.query_params
