"""The learn page: which lesson a visitor is at, and the races that lessons train for them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from triadapt.classroom.settings import PAGES
from triadapt.config import ConfigError
from triadapt.lessons.races import is_race_of, race_labels
from triadapt.lessons.registry import FIRST, LESSONS
from triadapt.runs.info import RunError, RunInfo
from triadapt.runs.library import config_of, find
from triadapt.runs.reader import RunReader
from triadapt.ui.classroom.desk import Desk
from triadapt.ui.classroom.room import room
from triadapt.ui.classroom.seat import seat
from triadapt.ui.learn_component import learn, said
from triadapt.ui.watchers import WATCHERS, between_refreshes
from triadapt.views.lessons.message import learn_message, live_part

REFRESH_SECONDS, SELDOM_SECONDS = 1.0, 4.0
AT_ONCE = 4
"""Sessions that may watch a lesson's race at the full pace; of more each asks less often."""
LESSON, RACE = "lesson", "race"
STATE = "lessons_visit"


@dataclass
class Race:
    """A race trained for a lesson: its id, the request that it answers, its seed. found: in an address, and not looked
    at yet."""

    id: str
    turn: int
    seed: int
    found: bool = False


@dataclass
class Visit:
    """Where a visitor is. number: how often the server has led to a lesson. turns: the newest word of each kind that
    was heeded. races: by lesson. problems: why a lesson's last wish was not granted. every: the pace at which the page
    now looks at the race on view."""

    slug: str = FIRST
    number: int = 0
    turns: dict[str, int] = field(default_factory=dict)
    races: dict[str, Race] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    every: float | None = None
    errors: list[str] = field(default_factory=list)

    def lead(self, slug: str) -> None:
        """Take the browser to a lesson."""
        self.slug, self.number = slug, self.number + 1

    def news(self, name: str) -> dict[str, Any]:
        """What the browser said under this name, if it has not been heeded yet; else empty."""
        word = said(name)
        turn = word.get("turn")
        if not isinstance(turn, int) or self.turns.get(name) == turn:
            return {}
        self.turns[name] = turn
        return word


def visit() -> Visit:
    """Where this session is."""
    found: Visit = st.session_state.setdefault(STATE, Visit())
    return found


def enter_lessons() -> None:
    """The visitor came to the page: the lesson that the address names, else the one they were at."""
    here = visit()
    for name in ("lesson", "run", "stop"):  # said on an earlier visit
        here.news(name)
    asked, race = st.query_params.get(LESSON), st.query_params.get(RACE)
    here.errors = []
    if asked and asked not in LESSONS:
        here.errors.append(f"lesson = {asked!r} in the address: known are {', '.join(LESSONS)}; this is the first")
    here.lead(asked if asked in LESSONS else FIRST if asked else here.slug)
    if race and here.slug not in here.races:
        here.races[here.slug] = Race(race, 0, 0, found=True)


def refresh_every(manager: Desk) -> float | None:
    """Seconds between two looks at the race of the lesson on view; None when nothing will change by itself."""
    here = visit()
    race = here.races.get(here.slug)
    live = race is not None and any(info.live for info in _infos(manager, race))
    here.every = None
    if live:
        here.every = between_refreshes(_watchers(), alone=REFRESH_SECONDS, at_once=AT_ONCE, most=SELDOM_SECONDS)
    return here.every


def _watchers() -> int:
    context = get_script_run_ctx()
    return WATCHERS.here(context.session_id if context else "")


def lessons(manager: Desk, *, base: str) -> None:
    """Draw the lessons once. Meant to run in a fragment; asks for a whole rerun when its pace has to change."""
    here = visit()
    timed, before = here.every is not None, here.slug
    if timed:
        _watchers()
    _take_up(here)
    if word := here.news("stop"):
        _stop(manager, here, str(word.get("lesson")))
    if word := here.news("run"):
        _run(manager, here, word)
    live = _live(manager, here)
    _write_address(here)
    class_ = room()
    may_train = class_ is None or class_.training
    taken = seat()
    house = {
        "base": base, "may_train": may_train, "pages": class_.pages if class_ else (*PAGES, "own"),
        "code": taken.code if taken.code and not taken.served else "",
    }  # fmt: skip
    heeded = here.turns.get("run", 0)
    learn(learn_message(here.slug, visit=here.number, house=house, live=live, heeded=heeded,
                        problem=here.problems.get(here.slug, "")))  # fmt: skip
    teaches = class_ is not None and class_.teacher
    if timed != bool(live and not live["over"]) or (teaches and here.slug != before):
        st.rerun()  # the pace changes, or the class has to hear where its teacher is


def _take_up(here: Visit) -> None:
    if word := here.news("lesson"):
        if (slug := word.get("slug")) in LESSONS:
            here.slug, here.errors = str(slug), []
    elif getattr(get_script_run_ctx(), "is_history_navigation", False):
        asked = st.query_params.get(LESSON, FIRST)
        if asked in LESSONS and asked != here.slug:
            here.lead(asked)


def _run(manager: Desk, here: Visit, word: Mapping[str, Any]) -> None:
    slug, values = str(word.get("lesson")), word.get("values")
    here.problems.pop(slug, None)
    try:
        race, seed = manager.submit_lesson(slug, values if isinstance(values, dict) else {})
        here.races[slug] = Race(race, word["turn"], seed)
    except (ConfigError, RunError, OSError, sqlite3.Error) as error:
        here.problems[slug] = "; ".join(error.lines) if isinstance(error, ConfigError) else str(error)


def _stop(manager: Desk, here: Visit, slug: str) -> None:
    if slug in here.races:
        manager.stop(here.races[slug].id)


def _infos(manager: Desk, race: Race) -> list[RunInfo]:
    try:
        return find(manager.runs, race.id)
    except RunError:
        return []


def _live(manager: Desk, here: Visit) -> dict[str, Any] | None:
    race = here.races.get(here.slug)
    infos = _infos(manager, race) if race else []
    labels = race_labels(here.slug)
    if race is None or not labels or len(infos) != len(labels) or (race.found and not _of_lesson(here.slug, infos)):
        here.races.pop(here.slug, None)  # deleted, or an address of something else
        return None
    race.found = False  # it was looked at
    statuses = [manager.status_of(info) for info in infos]
    error = next((info.error for info in infos if info.error and info.state in ("failed", "damaged")), "")
    status = {
        "race": race.id, "over": not any(info.live for info in infos), "mine": manager.owns(infos[0].race),
        "error": error,
        "seed": race.seed or infos[0].config.get("seed"),
        "message": next((str(one["message"]) for one in statuses if one.get("message") and infos[0].live), ""),
    }  # fmt: skip
    readers = [RunReader(manager.runs / info.id) for info in infos if info.state != "damaged"]
    if len(readers) != len(infos):
        return {"turn": race.turn, **status, "runs": []}
    return live_part(here.slug, list(readers), turn=race.turn, status=status)


def _of_lesson(slug: str, infos: list[RunInfo]) -> bool:
    """Whether these runs are the race of a lesson, whoever trained it."""
    try:
        return is_race_of(slug, [config_of(info) for info in infos])
    except RunError:
        return False


def _write_address(here: Visit) -> None:
    race = here.races.get(here.slug)
    for name, value in ((LESSON, here.slug), (RACE, race.id if race else None)):
        if value is None:
            st.query_params.pop(name, None)
        elif st.query_params.get(name) != value:
            st.query_params[name] = value
