"""The buttons of the play page."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import streamlit as st

from triadapt.config import RunConfig
from triadapt.runs.info import RunError
from triadapt.ui.address import on_view
from triadapt.ui.branching import branch_control
from triadapt.ui.classroom.desk import NO_TRAINING, Desk
from triadapt.ui.classroom.rules import may_train, owns
from triadapt.ui.markdown import plain
from triadapt.ui.messages import keep_message
from triadapt.ui.showing import Shown, race_id
from triadapt.ui.starting import start_if_wanted, want
from triadapt.ui.tour_component import tour


def forget_actions() -> None:
    """The visitor came to the page: what was wanted or went wrong on an earlier visit is over."""
    on_view().wanted = None
    st.session_state.pop("message", None)


def race_buttons(manager: Desk, race: Shown | None, configs: list[RunConfig], *, blocked: bool) -> None:
    """Run, pause, step, next event, stop, resume, branch, and the tour. All are always there, so that none moves from
    under a mouse.

    They act in callbacks: those are obeyed before the page is drawn, so a press is not lost when another request ends
    the drawing half-way. Run is only noted there, for its callback knows the controls as they were before.
    """
    states = {info.state for info, _ in race.runs} if race else set()
    name = race_id(race) if race else ""
    mine, trains = owns(manager, name), may_train()
    if name not in manager.active() or not mine:
        states -= {"running", "paused", "queued"}  # of another process, which alone can hold or end it
    running, paused = "running" in states, "paused" in states
    with st.container(horizontal=True, vertical_alignment="bottom", key="buttons"):
        # Label and type stay the same while a race runs: a button that changes loses the click made meanwhile.
        st.button(
            "Run", type="primary", icon=":material/play_arrow:", shortcut="Ctrl+Enter", key="run_button",
            disabled=blocked or not configs or not trains, on_click=want, args=("race",),
            help="Start this race. While another runs, it waits in the queue." if trains else NO_TRAINING,
        )  # fmt: skip
        start_if_wanted("race", (lambda: manager.submit(configs)) if configs and not blocked else None)
        label, icon = ("Continue", ":material/resume:") if paused else ("Pause", ":material/pause:")
        st.button(
            label, icon=icon, shortcut="P", disabled=not (running or paused), key="pause_button",
            on_click=_order, args=(manager.unpause if paused else manager.pause, name),
            help="Holds the race after the step it is at, and goes on from there.",
        )  # fmt: skip
        st.button(
            "Step", icon=":material/skip_next:", shortcut="S", disabled=not (running or paused), key="step_button",
            help="One optimizer step of every method, then hold.", on_click=_order, args=(manager.step, name),
        )  # fmt: skip
        st.button(
            "Next event", icon=":material/fast_forward:", shortcut="E", disabled=not (running or paused),
            key="event_button", help="Go on until a method changes a rank, then hold.",
            on_click=_order, args=(manager.step_event, name),
        )  # fmt: skip
        st.button(
            "Stop", icon=":material/stop:", shortcut="X", disabled=not (running or paused or "queued" in states),
            key="stop_button", help="Checkpoint and end here; the race can be resumed.",
            on_click=_order, args=(manager.stop, name),
        )  # fmt: skip
        infos = [info for info, _ in race.runs] if race and not race.recorded else []
        early = any(info.resumable for info in infos) and not any(info.live for info in infos) and mine and trains
        st.button(
            "Resume", icon=":material/restart_alt:", key="resume_button", on_click=resume,
            args=(manager, race.view if race else ""), disabled=not early,
            help="What ended early goes on from its newest checkpoint.",
        )  # fmt: skip
        branch_control(manager, race)
        tour()
    turn, message = st.session_state.get("message", (0, ""))
    if message and turn == on_view().turn:
        st.error(plain(message), icon=":material/error:")


def _order(action: Callable[[str], bool], race: str) -> None:
    action(race)


def resume(manager: Desk, view: str) -> None:
    """Queue what ended early, to go on."""
    try:
        manager.resume(view)
    except (RunError, OSError, sqlite3.Error) as error:
        keep_message(str(error))
