"""The schedule lab as a Streamlit component."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import streamlit as st

from triadapt.methods.registry import METHODS
from triadapt.tasks.registry import TASKS
from triadapt.ui.board_component import LOADER, static_url
from triadapt.views.lab.inputs import DRAWN, KNOWN_MODELS, NUMBERS, OWN, defaults, task_modules

KEY = "schedule_lab"


@functools.cache
def _component(static: str, folder: str) -> Callable[..., Any]:
    path = f"{static}/{folder}/lab/lab.js"
    return st.components.v2.component("triadapt_lab", js=LOADER % json.dumps(path), isolate_styles=False)


@functools.cache
def _spec() -> dict[str, Any]:
    """What the browser has to know of inputs, methods and tasks."""
    return {
        "numbers": {key: asdict(one) for key, one in NUMBERS.items()},
        "methods": [
            {"name": spec.name, "label": spec.label, "colour": spec.colour, "dash": spec.dash,
             "allocation": spec.allocation} for spec in map(METHODS.__getitem__, DRAWN)
        ],
        "tasks": {name: spec.label for name, spec in TASKS.items()},
        "modules": {name: task_modules(name) for name in TASKS},
        "layers": {name: defaults(name)["layers"] for name in (*TASKS, OWN)},
        "known": KNOWN_MODELS,
    }  # fmt: skip


def sent_values() -> dict[str, Any] | None:
    """What the browser said last: values of the inputs and its `turn`, or None before it said anything."""
    state = st.session_state.get(KEY)
    values = None if state is None else state.get("values")
    return dict(values) if values else None


def lab(values: dict[str, Any], answer: dict[str, Any], *, visit: int, turn: int | None) -> None:
    """Show the lab. values count on a new `visit` only: from then on the browser has newer ones. turn: to which of the
    browser's messages `answer` belongs."""
    data = {"spec": _spec(), "values": values, "answer": answer, "visit": visit, "turn": turn}
    _component(*static_url("lab"))(data=data, key=KEY, on_values_change=lambda: None)
