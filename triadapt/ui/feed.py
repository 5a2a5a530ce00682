"""Feeds the board: at each refresh only what the browser does not have yet."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, replace
from typing import Any, cast

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from triadapt.events import Stamped, Warned
from triadapt.methods.registry import METHODS
from triadapt.runs.bundle import Readable
from triadapt.runs.info import RunError, RunInfo
from triadapt.ui.address import named_view
from triadapt.ui.board_component import board, held_copy
from triadapt.ui.classroom.desk import Desk
from triadapt.ui.fields import in_page_words
from triadapt.ui.markdown import plain
from triadapt.ui.showing import Shown, beside_its_parent, shown
from triadapt.ui.watchers import WATCHERS, between_refreshes
from triadapt.views.delivery import Delivery, News
from triadapt.views.health import Health

REFRESH_SECONDS, MOST_SECONDS, AT_ONCE = 0.5, 2.0, 8
"""Seconds between two frames for up to `AT_ONCE` sessions; for more the server is asked no more often in all."""
APART_SECONDS = 0.3
"""Least time between two messages, so that the second does not overtake the first when reruns come close together."""
SENT, OWES, TIMED = "board_sent", "board_owes", "board_timed"
PARENT_LOOK = {"colour": "#8a8a8a", "dash": "dot", "beside": True}


@dataclass
class Sent:
    """What the browser of a session was sent, and what is known of the runs from it. shown: names of what is shown.
    arrived: whether the browser has said that it holds the full copy. made: when the last message was made."""

    shown: tuple[str, ...]
    delivery: Delivery
    arrived: bool = False
    made: float = 0.0
    health: dict[str, Health] = field(default_factory=dict)

    def health_of(self, run_id: str, rows: list[Stamped], *, fresh: bool) -> list[dict[str, Any]]:
        """What speaks against a run, from what it said so far and `rows`, which are new."""
        if fresh or run_id not in self.health:
            self.health[run_id] = Health()
        self.health[run_id].add(row.event for row in rows)
        told = [asdict(finding) for finding in self.health[run_id].findings()]
        return [finding | {"advice": in_page_words(finding["advice"])} for finding in told]


def refresh_every(race: Shown) -> float | None:
    """Seconds between two frames; None when there is nothing to come.

    Of a race that was not on view before nobody knows yet: a frame that followed its first at once could overtake it on
    the way to the browser.
    """
    sent: Sent | None = st.session_state.get(SENT)
    fresh = sent is None or sent.shown != _names(race)
    timed = race.live or fresh or st.session_state.get(OWES, False)
    st.session_state[TIMED] = timed
    if not timed:
        return None
    context = get_script_run_ctx()
    watchers = WATCHERS.here(context.session_id if context else "")
    return between_refreshes(watchers, alone=REFRESH_SECONDS, at_once=AT_ONCE, most=MOST_SECONDS)


def reset_board() -> None:
    """Forget what the browser was sent, so that the next frame is a full copy."""
    st.session_state.pop(SENT, None)


def _names(race: Shown) -> tuple[str, ...]:
    return (race.view, *(info.id for info, _ in race.beside))


def feed(manager: Desk, view: str, parent: bool = False) -> None:
    """Draw the board once, a branch beside its parent if `parent`. Meant to run in a fragment; asks for a whole rerun
    as long as the runs' states differ from those the rest of the page was drawn with."""
    try:
        race = shown(manager, view)
        race = beside_its_parent(manager, race) if parent else race
    except RunError as error:
        st.error(plain(f"{view}: {error}"), icon=":material/error:")
        return
    states = [info.state for info, _ in race.on_board]
    elsewhere = named_view() not in (None, view)
    sent: Sent | None = st.session_state.get(SENT)
    held = held_copy("board")
    if sent is None or sent.shown != _names(race) or (sent.arrived and held != sent.delivery.copy):
        sent = Sent(_names(race), Delivery(view))
    sent.arrived = held == sent.delivery.copy
    timed = st.session_state.get(TIMED, False)
    if timed and (context := get_script_run_ctx()) is not None:
        WATCHERS.here(context.session_id)
    early = timed and time.monotonic() - sent.made < APART_SECONDS
    if not sent.delivery.number or (sent.arrived and not early):
        sent.made = time.monotonic()
        news = [_news(manager, race, sent, info, reader) for info, reader in race.on_board]
        sent.delivery.message(news, {"title": race.title, "errors": "elsewhere"})
    st.session_state[SENT] = sent
    board(sent.delivery.last, key="board")
    owes = sent.delivery.owes or early or not sent.arrived
    st.session_state[OWES] = owes
    done = timed and not (owes or race.live)
    if elsewhere or done or states != st.session_state.get("drawn_states"):
        st.rerun()


def _news(manager: Desk, race: Shown, sent: Sent, info: RunInfo, reader: Readable) -> News:
    rows: list[Stamped] = []
    after = sent.delivery.after(info.id, info.generation)
    if info.state != "damaged":
        generation = info.generation
        info, rows = reader.snapshot(after)
        if generation != info.generation:
            after = sent.delivery.after(info.id, info.generation)
            info, rows = reader.snapshot(after)
    health = sent.health_of(info.id, rows, fresh=after == 0)
    warnings = [replace(row, event=_in_page_words(row.event)) if isinstance(row.event, Warned) else row for row in rows]
    return News(info.id, info.generation, status_of(manager, info, race) | {"health": health}, warnings)


def _in_page_words(event: Warned) -> Warned:
    return replace(event, message=in_page_words(event.message), advice=in_page_words(event.advice))


def status_of(manager: Desk, info: RunInfo, race: Shown) -> dict[str, Any]:
    """State, message, place in the queue, speed and time left of one run, for the board."""
    if race.recorded or info.state == "damaged":
        return {"state": info.state, "message": info.error}
    status = manager.status_of(info)
    if spec := METHODS.get(info.method):  # known before the run has said anything
        status |= {"label": spec.label, "colour": spec.colour, "dash": spec.dash}
    if info.id in (parent.id for parent, _ in race.beside):
        status |= {"label": f"{status.get('label', info.id)}, parent", **PARENT_LOOK}
    elif info.branched_from is not None:
        status["branched_at"] = info.branched_from.step
    # The clock's jitter is not news: whole numbers keep an unchanged frame unchanged.
    for name in ("speed", "eta"):
        if status.get(name) is not None:
            status[name] = round(cast(float, status[name]), 1 if name == "speed" else 0)
    return status
