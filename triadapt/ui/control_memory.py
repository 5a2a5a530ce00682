"""What the controls of a race said last, and what the address says of them."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

import streamlit as st

from triadapt.methods.registry import AT_FIRST, METHODS
from triadapt.ui.classroom.rules import control_rules, fixed
from triadapt.ui.classroom.seat import CLASS, TEACHER
from triadapt.ui.control_fields import ALL, field_problem

BOARD_PREFIX = "v."
"""Of the names in the address that are the board's own (`ui/board/board_view.js`)."""


def address_problems() -> list[str]:
    """One line for each value in the address that cannot be used as it stands. Read before any widget exists: widgets
    drop what they cannot show without a word."""
    params, rules = st.query_params, control_rules()
    lines = []
    for name in params.get_all("method"):
        if name not in METHODS:
            lines.append(f"method = {name!r} in the address: known are {', '.join(METHODS)}; left out")
    task = params.get("task", "planted")
    if task not in rules.tasks:
        lines.append(f"task = {task!r} in the address: known are {', '.join(rules.tasks)}; using planted")
    known = {"method", "task", "run", "parent", CLASS, TEACHER, *(field.key for field in ALL)}
    foreign = [name for name in params if name not in known and not name.startswith(BOARD_PREFIX)]
    lines += [f"{name} in the address: unknown, left out" for name in foreign]
    lines += [
        f"{name} = {', '.join(params.get_all(name))!r} in the address: fixed by the teacher at {fixed(value)}"
        for name, value in rules.locked.items()
        if name in params and fixed(params.get_all(name)) != fixed(value)
    ]
    for field in ALL:
        if field.key not in params or field.key in rules.locked:
            continue
        if field.key in rules.hidden:
            lines.append(f"{field.key} in the address: not to be chosen in this class; left out")
        elif reason := field_problem(field, params[field.key]):
            lines.append(f"{field.key} = {params[field.key]!r} in the address: {reason}; using the default")
    return lines


@dataclass
class Kept:
    """What the controls said last, whether that was on an earlier visit to the page, and what the address named on
    arrival."""

    values: dict[str, Any] = dataclass_field(default_factory=dict)
    earlier: bool = True
    named: frozenset[str] = frozenset()


def kept_controls() -> Kept:
    """Of this session."""
    found: Kept = st.session_state.setdefault("controls_kept", Kept())
    return found


def note_address_problems() -> None:
    """Remember what is wrong in the address for as long as no control is moved."""
    st.session_state["address_problems"] = address_problems()


def open_controls() -> None:
    """Give the widgets their first values when the visitor comes to the page: what the address says, else what they
    were when the page was left, else the defaults. Call before `race_controls`."""
    params, before = st.query_params, kept_controls()
    before.earlier, kept = True, before.values
    before.named = frozenset(params)
    named = [name for name in params.get_all("method") if name in METHODS]
    st.session_state["method"] = named or kept.get("method", list(AT_FIRST))
    task = params.get("task", kept.get("task", "planted"))
    st.session_state["task"] = task if task in control_rules().tasks else "planted"
    before.values = kept | {"method": st.session_state["method"], "task": st.session_state["task"]}
    for field in ALL:
        if field.key in kept and field.key not in params and "task" not in params:
            st.session_state[field.key] = kept[field.key]


def find_controls_again() -> None:
    """Give back what Streamlit dropped: a request that the browser makes before it has drawn a widget does not name it,
    and the server takes it for gone. What is bound to the address comes from there."""
    kept = kept_controls().values
    for key in ("method", "task"):
        if key not in st.session_state and key in kept:
            st.session_state[key] = kept[key]


def keep_controls() -> bool:
    """Remember the controls: Streamlit forgets widgets that the next page does not draw. Returns whether one moved."""
    keys = ["method", "task", *(field.key for field in ALL)]
    now = {key: st.session_state[key] for key in keys if key in st.session_state}
    kept = kept_controls()
    moved = not kept.earlier and now != kept.values
    kept.values, kept.earlier = now, False
    return moved
