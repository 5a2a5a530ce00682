"""Widgets for the fields that a branch may change. What a field is and takes is read off the configuration itself, so a
method of its own brings its fields along."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

import streamlit as st
from pydantic.fields import FieldInfo

from triadapt.config import RunConfig
from triadapt.ui.control_fields import ALL
from triadapt.ui.fields import label

FIRST = ("reference_rank", "warmup", "interval", "growth", "top_h", "steps", "learning_rate")
"""What is asked first, in order; the rest is a click away."""
_CONTROLS = {field.key: field for field in ALL}


def branch_fields(config: RunConfig, names: list[str], key: str) -> dict[str, Any]:
    """Draw a widget for each of the fields `names`, with the run's own value at first. Returns the values by name.

    key: begins the keys of the widgets.
    """
    first = [name for name in FIRST if name in names]
    values = _in_columns(config, first, key)
    with st.expander("More settings"):
        values |= _in_columns(config, [name for name in names if name not in first], key)
    return values


def _in_columns(config: RunConfig, names: list[str], key: str) -> dict[str, Any]:
    columns, values = st.columns(2), {}
    for index, name in enumerate(names):
        with columns[index % 2]:
            values[name] = _widget(config, name, f"{key}-{name}")
    return values


def _widget(config: RunConfig, name: str, key: str) -> Any:
    section, last = _section(config, name)
    field: FieldInfo = type(section).model_fields[last]
    present, control = getattr(section, last), _CONTROLS.get(name)
    shared: dict[str, Any] = {"key": key, "help": control.help if control else field.description}
    if isinstance(present, bool):
        return st.toggle(label(name), present, **shared)
    if get_origin(field.annotation) is Literal:
        options = list(get_args(field.annotation))
        return st.selectbox(label(name), options, index=options.index(present), **shared)
    kind = type(present)
    step = control.step if control else 1 if kind is int else 0.05
    form = None if kind is int else "%g"
    # Without bounds of its own: the browser would keep a value outside them to itself, and the branch would take the
    # last one. The configuration refuses such a value with a line.
    return st.number_input(label(name), value=present, step=kind(step), format=form, **shared)


def _section(config: RunConfig, name: str) -> tuple[Any, str]:
    *sections, last = name.split(".")
    found: Any = config
    for part in sections:
        found = getattr(found, part)
    return found, last
