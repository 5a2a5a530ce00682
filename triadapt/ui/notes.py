"""What is said above the board about the race on view: its settings, what it waits for, how it ended early."""

from __future__ import annotations

import re

import streamlit as st

from triadapt.events import Failed
from triadapt.methods.registry import METHODS
from triadapt.runs.info import RunInfo
from triadapt.runs.reader import RunReader
from triadapt.ui.address import on_view
from triadapt.ui.brought import settings_brought
from triadapt.ui.classroom.desk import Desk
from triadapt.ui.classroom.rules import shows_page
from triadapt.ui.fields import in_page_words
from triadapt.ui.markdown import plain
from triadapt.ui.showing import Shown, race_id
from triadapt.ui.titles import method_label, progress
from triadapt.ui.what_if_choice import what_if_link

_OWN_ERROR = re.compile(r"^(?:TrainingError|ConfigError|RunError): ")
"""What runs of earlier versions begin their error with."""
SETTINGS = {
    "steps": "steps", "reference_rank": "budget", "warmup": "warm-up", "interval": "interval", "growth": "growth",
    "learning_rate": "learning rate", "batch_size": "batch", "seed": "seed",
}  # fmt: skip


def state_notes(manager: Desk, race: Shown) -> None:
    """Settings, queue, and how runs failed, were stopped or interrupted; of a recorded race, what it shows."""
    if race.recorded:
        words = "Press **Run** to start your own."
        if settings_brought():
            words = "**Your settings are at the left; Run starts them.**"
        st.caption(f":material/movie: {race.description} {words}{_what_if(race)}")
        return
    infos = [info for info, _ in race.runs]
    st.caption(f":material/info: {settings_line(infos[0].config)}{_what_if(race)}")
    if race_id(race) not in manager.active():
        if any(info.live for info in infos):
            st.caption(
                ":material/terminal: This race is run by another process, such as `triadapt train`. End it there."
            )
    elif all(info.state == "queued" for info in infos):
        _queued(manager, race)
    stopped = [info for info in infos if info.state == "stopped"]
    if stopped and all(info.last_step < 0 for info in stopped):
        st.caption(":material/stop: Stopped before its first step. Resume starts it.")
    elif stopped:
        st.caption(f":material/stop: {plain(_together(stopped, 'stopped after {}'))}. Resume goes on from there.")
    _early_ends(manager, infos)


def settings_line(config: dict[str, object]) -> str:
    """The settings of the race on view, as Markdown: the controls may have moved on."""
    told = [f"{called} {plain(str(config[name]))}" for name, called in SETTINGS.items() if name in config]
    return f"This race: {', '.join(told)}." if told else "Its settings cannot be read."


def _what_if(race: Shown) -> str:
    """A link to the replay of the race's decisions, where any run of it takes some."""
    known = [info for info, _ in race.runs if info.method in METHODS and "warmup" in info.config]
    methods = [METHODS[info.method] for info in known]
    if not shows_page("tune"):
        return ""
    return f" {what_if_link(race.view)}" if any(spec.replayed for spec in methods) else ""


def _queued(manager: Desk, race: Shown) -> None:
    """Why nothing moves, and what does instead."""
    before = manager.active()[: manager.active().index(race_id(race))]
    if not before:
        return
    many = "another race" if len(before) == 1 else f"{len(before)} other races"
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="queued"):
        st.caption(f":material/hourglass_empty: Waits for {many}; Stop takes it out of the queue.", width="content")
        st.button(
            "Show what runs", type="tertiary", icon=":material/play_circle:", key="show_running",
            on_click=on_view().turn_to, args=(before[0],),
            help="Shows the race that has to end before this one starts.",
        )  # fmt: skip


def _early_ends(manager: Desk, infos: list[RunInfo]) -> None:
    """Errors of failed, damaged and interrupted runs, those of one kind in one line."""
    ends: dict[str, list[RunInfo]] = {}
    tracebacks: dict[str, None] = {}
    for info in infos:
        if info.state == "damaged":
            st.error(
                plain(f"{info.id} is damaged: {info.error}. Nothing else is; the Runs page can delete it."),
                icon=":material/broken_image:",
            )
        elif info.state == "failed":
            ends.setdefault(f"failed after {{}}: {told_error(info)}", []).append(info)
            failures = [row.event for row in RunReader(manager.runs / info.id).events_of(Failed.kind)]
            tracebacks |= {e.traceback: None for e in failures[-1:] if isinstance(e, Failed) and e.traceback}
        elif info.state == "interrupted":
            ends.setdefault(
                "interrupted after {}: the process is gone. What was recorded is below; Resume goes on from the newest "
                "checkpoint.", [],
            ).append(info)  # fmt: skip
    for what, members in ends.items():
        st.error(plain(_together(members, what)), icon=":material/error:")
    if tracebacks:
        with st.expander("What the worker said last"):
            for text in tracebacks:
                st.code(text, language=None)


def _together(infos: list[RunInfo], what: str) -> str:
    """`what` of several runs, with how far they came in place of its braces."""
    far = " and ".join(dict.fromkeys(progress(info) for info in infos))
    done = sorted({info.last_step + 1 for info in infos})
    if len(done) > 2 and len({info.steps for info in infos}) == 1:  # a kill finds each of them at a step of its own
        far = f"{done[0]} to {progress(max(infos, key=lambda info: info.last_step))}"
    # Not format(): an error message may hold braces.
    return f"{', '.join(method_label(info) for info in infos)} {what.replace('{}', far, 1)}"


def told_error(info: RunInfo) -> str:
    """Why it failed, in words of the page."""
    return in_page_words(_OWN_ERROR.sub("", info.error))
