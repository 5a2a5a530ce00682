"""The buttons of the play page, and what is said above the board about a run that did not end well."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import streamlit as st

from triadapt.config import RunConfig
from triadapt.events import Failed
from triadapt.methods.registry import METHODS
from triadapt.runs.info import RunError
from triadapt.ui.address import on_view, write_address
from triadapt.ui.branching import branch_control
from triadapt.ui.messages import keep_message
from triadapt.ui.showing import Shown
from triadapt.ui.what_if_choice import what_if_link
from triadapt.workers.manager import RunManager


def forget_actions() -> None:
    """The visitor came to the page: what was wanted or went wrong on an earlier visit is over."""
    for key in ("run_wanted", "branch_wanted", "message"):
        st.session_state.pop(key, None)


def race_buttons(
    manager: RunManager, race: Shown | None, configs: list[RunConfig], *, blocked: bool, choices: dict[str, str]
) -> None:
    """Run, pause, step, next event, stop, resume, and which race is on view.

    All act in callbacks: those are obeyed before the page is drawn, so a press is not lost when another request ends
    the drawing half-way. Run is only noted there, for its callback knows the controls as they were before.
    """
    states = {info.state for info, _ in race.runs} if race else set()
    name = race_id(race) if race else ""
    if name not in manager.active():
        states -= {"running", "paused", "queued"}  # of another process, which alone can hold or end it
    running, paused = "running" in states, "paused" in states
    with st.container(horizontal=True, vertical_alignment="bottom", key="buttons"):
        # Label and type stay the same while a race runs: a button that changes loses the click made meanwhile.
        st.button(
            "Run", type="primary", icon=":material/play_arrow:", shortcut="Ctrl+Enter", key="run_button",
            disabled=blocked or not configs, on_click=_want_run,
            help="Start this race. While another runs, it waits in the queue.",
        )  # fmt: skip
        if st.session_state.pop("run_wanted", False) and configs and not blocked:
            start(manager, configs)
        label, icon = ("Continue", ":material/resume:") if paused else ("Pause", ":material/pause:")
        st.button(
            label, icon=icon, shortcut="P", disabled=not (running or paused), key="pause_button",
            on_click=_order, args=(manager.unpause if paused else manager.pause, name),
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
        if race and not race.live and any(info.resumable for info, _ in race.runs) and not race.recorded:
            st.button(
                "Resume", icon=":material/restart_alt:", key="resume_button", help="Go on from the newest checkpoints.",
                on_click=resume, args=(manager, race.view),
            )  # fmt: skip
        branch_control(manager, race)
        _chooser(race, choices)
    turn, message = st.session_state.get("message", (0, ""))
    if message and turn == on_view().turn:
        st.error(message, icon=":material/error:")


def _chooser(race: Shown | None, choices: dict[str, str]) -> None:
    """The list of races. It follows the address, so that Run and links move it too."""
    view = race.view if race else None
    options = list(choices)
    if view is not None and view not in choices:
        options.insert(0, view)
    # A new list each time the view changes, and no callback: the browser may send the old list once more along with
    # its next request, and must not move the view back by it.
    chosen = st.selectbox(
        "On view", options, index=None if view is None else options.index(view), key=f"chooser-{on_view().turn}-{view}",
        format_func=lambda name: choices.get(name, name), label_visibility="collapsed", placeholder="No race yet",
        width=230,
    )  # fmt: skip
    if chosen is not None and chosen != view:
        on_view().turn_to(chosen)
        st.rerun()


def race_id(race: Shown) -> str:
    """The id of the race on view, also where a single run of it is shown."""
    return race.runs[0][0].race or race.view


def _order(action: Callable[[str], bool], race: str) -> None:
    action(race)


def _want_run() -> None:
    st.session_state["run_wanted"] = True


def start(manager: RunManager, configs: list[RunConfig]) -> None:
    """Queue a race and show it."""
    view = on_view()
    try:
        race = manager.submit(configs)
    except (RunError, OSError, sqlite3.Error) as error:
        keep_message(f"The race could not be started: {error}")
    else:
        view.turn_to(race)  # first of all: whatever may end this script, the race that was started is on view
        write_address()
    st.rerun()


def resume(manager: RunManager, view: str) -> None:
    """Queue what ended early, to go on."""
    try:
        manager.resume(view)
    except (RunError, OSError, sqlite3.Error) as error:
        keep_message(str(error))


def settings_line(config: dict[str, object]) -> str:
    """The settings of the race on view: the controls may have moved on."""
    names = {"steps": "steps", "reference_rank": "budget", "warmup": "warm-up", "interval": "interval",
             "growth": "growth", "learning_rate": "learning rate", "batch_size": "batch", "seed": "seed"}  # fmt: skip
    return "This race: " + ", ".join(f"{label} {config[key]}" for key, label in names.items() if key in config)


def _what_if(race: Shown) -> str:
    """A link to the replay of the race's decisions, where any run of it takes some."""
    methods = [METHODS[info.method] for info, _ in race.runs if info.method in METHODS]
    return f" {what_if_link(race.view)}" if any(spec.allocation != "fixed" for spec in methods) else ""


def state_notes(manager: RunManager, race: Shown) -> None:
    """Errors of failed and damaged runs, and what a recorded race shows."""
    if race.recorded:
        st.caption(f":material/movie: {race.description} Press **Run** to start your own.{_what_if(race)}")
        return
    origins = [info.branched_from.line() for info, _ in race.runs if info.branched_from is not None]
    branched = [f":material/call_split: {line[:1].upper()}{line[1:]}" for line in origins]
    st.caption("  \n".join([":material/info: " + settings_line(race.runs[0][0].config) + _what_if(race), *branched]))
    if race.live and race_id(race) not in manager.active():
        st.caption(":material/terminal: This race is run by another process, such as `triadapt train`. End it there.")
    failed: dict[str, list[tuple[str, int]]] = {}
    tracebacks: dict[str, None] = {}
    for info, reader in race.runs:
        label, step = METHODS[info.method].label if info.method in METHODS else info.id, max(0, info.last_step)
        if info.state == "damaged":
            st.error(f"{info.id} is damaged: {info.error}", icon=":material/broken_image:")
        elif info.state == "failed":
            failed.setdefault(f"failed at {{}}: {info.error}", []).append((label, step))
            failures = [row.event for row in reader.events() if isinstance(row.event, Failed)]
            tracebacks |= {event.traceback: None for event in failures[-1:] if event.traceback}
        elif info.state == "interrupted":
            what = (
                "interrupted after {}: the process is gone. What it recorded is below; Resume goes on from the newest "
                "checkpoints."
            )
            failed.setdefault(what, []).append((label, step))
    for what, members in failed.items():
        low, high = min(step for _, step in members), max(step for _, step in members)
        steps = f"step {low}" if low == high else f"steps {low} to {high}"
        # Not format(): an error message may hold braces.
        st.error(f"{', '.join(label for label, _ in members)} {what.replace('{}', steps, 1)}", icon=":material/error:")
    if tracebacks:
        with st.expander("What the worker said last"):
            for text in tracebacks:
                st.code(text, language=None)
