"""Feeds the board: at each refresh only what the browser does not have yet."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, cast

import streamlit as st

from triadapt.events import Stamped
from triadapt.methods.registry import METHODS
from triadapt.runs.info import RunError, RunInfo
from triadapt.ui.address import named_view
from triadapt.ui.board_component import board
from triadapt.ui.fields import in_page_words
from triadapt.ui.showing import Shown, beside_its_parent, shown
from triadapt.views.board import MAX_STEPS, board_frame, run_frame
from triadapt.views.health import Health
from triadapt.views.late_rows import FULL_ROOM, LATE_ROOM, NEWER_ROOM, in_order, take, weight
from triadapt.workers.manager import RunManager

REFRESH_SECONDS = 0.5
OWES, TIMED = "board_owes", "board_timed"
PARENT_LOOK = {"colour": "#8a8a8a", "dash": "dot", "beside": True}


def refresh_every(race: Shown) -> float | None:
    """Seconds between two frames; None when there is nothing to come.

    Of a race that was not on view before nobody knows yet: a frame that followed its first at once could overtake it on
    the way to the browser.
    """
    fresh = st.session_state.get("board_sent", {}).get("shown") != _names(race)
    timed = race.live or fresh or st.session_state.get(OWES, False)
    st.session_state[TIMED] = timed
    return REFRESH_SECONDS if timed else None


def reset_board() -> None:
    """Forget what the browser was sent, so that the next frame is a full copy."""
    st.session_state.pop("board_sent", None)


def _names(race: Shown) -> tuple[str, ...]:
    return (race.view, *(info.id for info, _ in race.beside))


def feed(manager: RunManager, view: str, parent: bool = False) -> None:
    """Draw the board once, a branch beside its parent if `parent`. Meant to run in a fragment; asks for a whole rerun
    as long as the runs' states differ from those the rest of the page was drawn with."""
    try:
        race = shown(manager, view)
        race = beside_its_parent(manager, race) if parent else race
    except RunError as error:
        st.error(f"{view}: {error}", icon=":material/error:")
        return
    states = [info.state for info, _ in race.on_board]
    elsewhere = named_view() not in (None, view)
    sent: dict[str, Any] = st.session_state.get("board_sent", {})
    if sent.get("shown") != _names(race):
        sent = {"shown": _names(race), "runs": {}, "frame": b""}
    full = not sent["runs"]
    frames, moved = [], full
    room = FULL_ROOM if full else LATE_ROOM if sent.get("catching_up") else NEWER_ROOM
    for info, reader in race.on_board:
        after, generation = sent["runs"].get(info.id, (0, info.generation))
        rows: list[Stamped] = []
        if info.state != "damaged":
            info, rows = reader.snapshot(after)
            if generation != info.generation:
                after = 0
                info, rows = reader.snapshot(0)
        status = status_of(manager, info, race) | {"health": _health(sent, info, rows, fresh=after == 0)}
        queue: list[Stamped] = sent.setdefault("owed", {}).setdefault(info.id, [])
        if after == 0:
            queue.clear()
        queue[:0] = in_order(rows)
        now = take(queue, room // len(race.on_board), least=0 if full else 1)
        frame = run_frame(
            info.id,
            rows,
            after=after,
            generation=info.generation,
            status=status,
            owed={row.seq for row in rows if weight(row)} - {row.seq for row in now},
            late=[row for row in now if row.seq <= after],
            most_steps=max(600, MAX_STEPS // len(race.on_board) ** 2),
        )
        for warning in frame.get("warnings", []):
            warning |= {key: in_page_words(warning[key]) for key in ("message", "advice")}
        moved |= bool(rows or now) or status != sent.get("statuses", {}).get(info.id)
        sent.setdefault("statuses", {})[info.id] = status
        sent["runs"][info.id] = (frame["to"], info.generation)
        frames.append(frame)
    if moved:
        sent["frame"] = board_frame(view, frames, full=full, extras={"title": race.title, "errors": "elsewhere"})
    owes = any(sent.get("owed", {}).values())
    sent["catching_up"] = owes and (full or sent.get("catching_up", False))
    st.session_state["board_sent"] = sent
    if board(sent["frame"], key="board"):
        reset_board()
        st.rerun()
    st.session_state[OWES] = owes
    done = st.session_state.get(TIMED, False) and not (full or owes or race.live)
    if elsewhere or done or states != st.session_state.get("drawn_states"):
        st.rerun()


def _health(sent: dict[str, Any], info: RunInfo, rows: list[Stamped], *, fresh: bool) -> list[dict[str, Any]]:
    """What speaks against a run, from what it said so far and `rows`, which are new."""
    kept: dict[str, Health] = sent.setdefault("health", {})
    if fresh or info.id not in kept:
        kept[info.id] = Health()
    kept[info.id].add(row.event for row in rows)
    told = [asdict(finding) for finding in kept[info.id].findings()]
    return [finding | {"advice": in_page_words(finding["advice"])} for finding in told]


def status_of(manager: RunManager, info: RunInfo, race: Shown) -> dict[str, Any]:
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
