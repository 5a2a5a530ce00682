"""The first tab of the Tune page: a schedule seen before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from triadapt.config import ConfigError
from triadapt.methods.registry import METHODS
from triadapt.tasks.registry import TASKS
from triadapt.ui.control_fields import outside_controls
from triadapt.ui.control_memory import BOARD_PREFIX
from triadapt.ui.lab_component import lab, sent_values
from triadapt.ui.markdown import plain
from triadapt.ui.sweep_section import PARAMETER as STUDY
from triadapt.ui.what_if_choice import RUN, SET
from triadapt.views.lab.findings import answer
from triadapt.views.lab.inputs import CHOICES, NUMBERS, address, meaning, read_inputs
from triadapt.views.lab.take_away import peft_snippet, race_toml

NAMES = {*NUMBERS, *CHOICES, "method", "modules"}
OF_TABS = {"tab", RUN, SET, STUDY}
TOML = "TOML"


@dataclass
class Visit:
    """The inputs of this session, and how often they were set from outside the lab."""

    values: dict[str, Any]
    problems: list[str]
    number: int = 1
    turn: int | None = None


def schedule_lab() -> None:
    """Draw the tab."""
    context = get_script_run_ctx()
    _take_up(getattr(context, "is_history_navigation", False))
    st.fragment(_lab)()


def forget_visit() -> None:
    """The visitor came to the page: the address counts again."""
    st.session_state["lab_arrived"] = True


def _take_up(back_or_forward: bool) -> None:
    """On arrival, and when the visitor goes back or forward: what the address says, else what the lab held last."""
    held: Visit | None = st.session_state.get("lab_visit")
    arrived = st.session_state.pop("lab_arrived", False)
    if held is not None and not (arrived or back_or_forward):
        return
    given: dict[str, Any] = {name: st.query_params[name] for name in NAMES if name in st.query_params}
    if "method" in given:
        given["method"] = st.query_params.get_all("method")
    if held is None or given or back_or_forward:
        values, problems = read_inputs(given)
        problems += [f"{name} in the address: unknown, left out" for name in st.query_params if _foreign(name)]
        held = Visit(values, problems, (held.number if held else 0) + 1)
    else:
        held = Visit(held.values, [], held.number + 1)
    st.session_state["lab_visit"] = held


def _foreign(name: str) -> bool:
    """Whether no tab of the page knows this name in the address, nor the board that the visitor may have come from."""
    return name not in NAMES | OF_TABS and not name.startswith(BOARD_PREFIX)


def _lab() -> None:
    visit: Visit = st.session_state["lab_visit"]
    sent = sent_values()
    if sent is not None and sent.get("visit") == visit.number and sent.get("turn") != visit.turn:
        visit.turn = sent["turn"]
        visit.values, visit.problems = read_inputs({name: sent[name] for name in NAMES if name in sent})
    errors = st.container()  # always there: what comes and goes above the lab would mount it anew
    for line in visit.problems:
        errors.error(plain(line), icon=":material/error:")
    _write_address(visit.values)
    lab(visit.values, answer(visit.values), visit=visit.number, turn=visit.turn)
    _take_away(visit.values)


def _write_address(values: dict[str, Any]) -> None:
    wanted = address(values)
    params = st.query_params
    for name in NAMES:
        if name not in wanted:
            params.pop(name, None)
        elif params.get_all(name) != (value if isinstance(value := wanted[name], list) else [value]):
            params[name] = value


def _take_away(values: dict[str, Any]) -> None:
    """The schedule as text to paste, and as a race to start."""
    st.markdown("##### Take it with you")
    names = [name for name in METHODS if name in values["method"]]
    kinds = [*names, TOML]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.segmented_control(
            "As", kinds, default=kinds[0], required=True, key=f"lab_kind-{'-'.join(kinds)}",
            format_func=lambda one: "TOML for triadapt train" if one == TOML else METHODS[one].label,
            label_visibility="collapsed",
            help="What the schedule is written as below: a PEFT configuration of one method, or a file for the command "
            "line.",
        )  # fmt: skip
        _to_play(values)
    if problems := meaning(values).problems:  # what stands in for an input would be a plan of something else
        for line in problems:
            st.caption(f":material/warning: {plain(line)}")
        return
    try:
        text = race_toml(values) if kind == TOML else peft_snippet(values, str(kind))
    except ConfigError as error:
        for line in error.lines:
            st.caption(f":material/warning: {plain(line)}")
        return
    st.code(text, language="toml" if kind == TOML else "python", height=320)
    name = "schedule.toml" if kind == TOML else f"{kind}.py"
    st.download_button(
        f"Download {name}",
        text,
        name,
        icon=":material/download:",
        on_click="ignore",
        key="lab_download",
        help="Saves the text above as a file.",
    )


def _to_play(values: dict[str, Any]) -> None:
    """A link to Play that carries the schedule, where its controls reach that far."""
    query = play_query(values)
    outside = outside_controls(query)
    st.page_link(
        "pages/play.py", label="Try it on Play", icon=":material/play_circle:", query_params=query,
        disabled=bool(outside),
        help="Opens Play with this schedule in its controls; nothing starts by itself.",
    )  # fmt: skip
    if outside:
        st.caption(f"Play's controls do not reach that far: {plain('; '.join(outside))}. Take the TOML.")
    elif values["task"] not in TASKS:
        st.caption("There the schedule runs over the planted task.")


def play_query(values: dict[str, Any]) -> dict[str, str | list[str]]:
    """The schedule by the names that the controls of Play have in the address."""
    meant = meaning(values)
    names = ("warmup", "interval", "reference_rank", "growth", "top_h", "add_r", "alpha")
    query: dict[str, Any] = {name: values[name] for name in names} | {"steps": meant.steps}
    methods = values["method"]
    if "adalora" in methods:
        query |= {name: values[name] for name in ("adalora.init_rank_ratio", "adalora.final_share")}
    query |= {f"{name}.behaviour": values["behaviour"] for name in ("triadaptlora", "increlora") if name in methods}
    if values["task"] == "planted":
        query["planted.blocks"] = values["layers"]
    elif values["task"] in TASKS:
        query["task"] = values["task"]
    text = {name: f"{value:.10g}" if isinstance(value, float) else str(value) for name, value in query.items()}
    return {**text, **({"method": list(methods)} if methods else {})}
