"""Controls that stand still in a class. Drawn so that students see what holds; what they hold is never read back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from triadapt.methods.registry import METHODS
from triadapt.tasks.registry import TASKS
from triadapt.ui.classroom.rules import FIXED_HELP, fixed
from triadapt.ui.control_fields import Field, field_problem

METHODS_HELP = "They race in lockstep: same data, same seed, same budget."


def locked_methods(names: Sequence[str]) -> None:
    """The methods, as they were fixed."""
    st.pills(
        "Methods", list(METHODS), default=list(names), selection_mode="multi", disabled=True, key=_key("method", names),
        format_func=lambda name: METHODS[name].label, help=f"{METHODS_HELP} {FIXED_HELP}",
    )  # fmt: skip


def locked_task(task: str) -> None:
    """The task, as it was fixed."""
    st.selectbox(
        "Task", [task], key=_key("task", task), format_func=lambda name: TASKS[name].label, disabled=True,
        help=f"{TASKS[task].summary}. {FIXED_HELP}",
    )  # fmt: skip


def locked_widget(field: Field, value: Any) -> None:
    """Any other control."""
    shared: dict[str, Any] = {"key": _key(field.key, value), "help": f"{field.help} {FIXED_HELP}", "disabled": True}
    kind = type(field.low)
    if field.options and value in field.options:
        st.segmented_control(field.label, list(field.options), default=value, width="stretch", **shared)
    elif field.slider and not field.text and not field_problem(field, str(value)):
        st.slider(field.label, kind(field.low), kind(field.high), kind(value), kind(field.step), **shared)
    else:
        st.text_input(field.label, fixed(value), **shared)


def _key(name: str, value: Any) -> str:
    # Another value is another control: one that the browser holds would keep the old.
    return f"locked-{name}-{fixed(value)}"
