"""The controls of a race: widgets whose values stand in the address, and the configurations they describe."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from triadapt.config import ConfigError, RunConfig, data_problems, parse_config, set_value
from triadapt.figures.schedule import schedule_svg
from triadapt.methods.registry import AT_FIRST, METHODS
from triadapt.tasks.registry import TASKS
from triadapt.ui.beside_fields import say_beside, still_empty
from triadapt.ui.classroom.locked import METHODS_HELP, locked_methods, locked_task, locked_widget
from triadapt.ui.classroom.rules import ControlRules, control_rules
from triadapt.ui.control_fields import (
    FIELDS,
    MORE,
    OF_METHOD,
    OF_TASK,
    SCHEDULE,
    TRAINING,
    Field,
    default_of,
    field_problem,
    outside_controls,
)
from triadapt.ui.control_memory import find_controls_again, kept_controls
from triadapt.ui.markdown import plain
from triadapt.ui.svg_component import svg
from triadapt.views.lab.findings import merged
from triadapt.views.plan import plan

UNUSABLE = "address_unusable"


# Not bound like the other widgets: the address would hold labels, not the names of the command line.
def _choose_methods(rules: ControlRules) -> list[str]:
    if "method" in rules.locked or "method" in rules.hidden:
        held: list[str] = rules.locked.get("method", list(AT_FIRST))
        if "method" not in rules.hidden:
            locked_methods(held)
        return held
    methods = st.pills(
        "Methods", list(METHODS), selection_mode="multi", key="method", persist_state="page",
        format_func=lambda name: METHODS[name].label, help=METHODS_HELP,
    )  # fmt: skip
    params = st.query_params
    wanted = [] if methods == list(AT_FIRST) else [name for name in METHODS if name in methods]
    if params.get_all("method") != wanted:
        if wanted:
            params["method"] = wanted
        else:
            params.pop("method", None)
    return methods


def _choose_task(rules: ControlRules) -> str:
    if "task" in rules.locked or "task" in rules.hidden:
        held: str = rules.locked.get("task", "planted")
        if "task" not in rules.hidden:
            locked_task(held)
        return held
    task: str = st.selectbox(
        "Task", list(rules.tasks), key="task", persist_state="page", format_func=lambda name: TASKS[name].label,
        on_change=_take_defaults_of_task,
        help="; ".join(f"{TASKS[name].label}: {TASKS[name].summary}" for name in rules.tasks),
    )  # fmt: skip
    params = st.query_params
    if params.get("task", "planted") != task:
        params["task"] = task
    return task


def _take_defaults_of_task() -> None:
    task = st.session_state["task"]
    for field in (*SCHEDULE, *TRAINING, *MORE):
        st.session_state[field.key] = default_of(field.key, task)


def _widget(field: Field, task: str) -> Any:
    default = default_of(field.key, task)
    shared: dict[str, Any] = {"key": field.key, "help": field.help, "bind": "query-params", "persist_state": "page"}
    if field.flag:
        return st.toggle(field.label, default, **shared)
    if field.options:
        options = list(field.options)
        chosen = st.segmented_control(field.label, options, default=default, required=True, width="stretch", **shared)
        return chosen or default
    if field.text:
        return st.text_input(field.label, default, **shared).strip()
    kind = type(field.low)
    low, high, step = kind(field.low), kind(field.high), kind(field.step)
    if field.slider:
        return st.slider(field.label, low, high, kind(default), step, **shared)
    form = None if kind is int else "%g"
    # Without bounds of its own: the browser would keep a value outside them to itself, and Run would take the last one.
    return st.number_input(field.label, value=kind(default), step=step, format=form, **shared)


def race_controls(worded: Callable[[str], str] = str) -> tuple[list[RunConfig], list[str], list[str]]:
    """Draw the controls. Returns one configuration a chosen method, one line for each thing that is wrong, and one for
    each that the visitor has still to type.

    worded: puts a line about fields in the words of the page.
    """
    rules = control_rules()
    find_controls_again()
    methods, task = _choose_methods(rules), _choose_task(rules)
    values: dict[str, Any] = {"task": task}
    outside: dict[str, str] = {}
    for key in st.session_state.get(UNUSABLE, ()):
        st.session_state[key] = type(FIELDS[key].low)(default_of(key, task))

    def control(field: Field) -> None:
        if field.key in rules.locked or field.key in rules.hidden:
            held = rules.locked.get(field.key, default_of(field.key, task))
            if field.key not in rules.hidden:
                locked_widget(field, held)
            set_value(values, f"{field.key}={_text(held)}")
            return
        value = _text(_widget(field, task))
        if not field.slider and (reason := field_problem(field, value)):
            outside[field.key] = worded(f"{field.key} = {value}: {reason}")
            value = _text(default_of(field.key, task))  # so that what else is wrong can be said
        set_value(values, f"{field.key}={value}")

    with st.container(key="schedule"):
        for field in SCHEDULE:
            control(field)
        sketch = st.container(key="sketch")
    hidden = [field for field in TRAINING if field.key in rules.hidden]
    columns = st.columns(2)
    for index, field in enumerate([*(field for field in TRAINING if field not in hidden), *hidden]):
        with columns[index % 2]:
            control(field)
    of_task = OF_TASK.get(task, ())
    beside: dict[str, DeltaGenerator] = {}
    for field in of_task:
        if field.text and not field.more:  # nothing can be trained without it, so it is not hidden
            control(field)
            beside[field.key] = st.empty()
    with st.expander("More settings"):
        of_methods = [field for method in METHODS if method in methods for field in OF_METHOD.get(method, ())]
        for field in (*MORE, *of_methods, *(field for field in of_task if not field.text or field.more)):
            control(field)
    from_address = [key for key in outside if key in kept_controls().named]
    # Numbers of the address have come into the widgets: take them out again.
    if kept_controls().earlier and from_address:
        st.session_state[UNUSABLE] = from_address
        st.rerun()
    st.session_state.pop(UNUSABLE, None)
    configs, wrong = [], {}
    for method in METHODS:
        if method in methods:
            try:
                configs.append(parse_config({**values, "method": method}))
            except ConfigError as error:
                wrong[method] = error.lines
    if configs and not wrong:
        wrong = dict.fromkeys(methods, found) if (found := data_problems(configs[0])) else {}
    say_beside(beside, [line for lines in wrong.values() for line in lines])
    missing = still_empty((line for lines in wrong.values() for line in lines), beside)
    left = {method: [worded(line) for line in lines if line not in missing] for method, lines in wrong.items()}
    with sketch:
        draw_sketch(configs, worded)
    if not methods:
        return configs, ["method: choose at least one"], []
    return configs, [*outside.values(), *_told_once(left, methods)], list(missing.values())


def _told_once(wrong: dict[str, list[str]], methods: list[str]) -> list[str]:
    """Each line once: by itself where it holds for all methods, under the method's name otherwise."""
    shared = [line for line in next(iter(wrong.values()), []) if all(line in wrong.get(name, []) for name in methods)]
    own = [f"{METHODS[name].label}: {line}" for name, lines in wrong.items() for line in lines if line not in shared]
    return [*shared, *own]


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool) else repr(value)


def draw_sketch(configs: list[RunConfig], worded: Callable[[str], str] = str) -> None:
    """The planned total rank of each method, before a second is spent on training, and what speaks against it."""
    plans = [plan(config) for config in configs]
    if not plans:
        return
    rules = control_rules()
    held = {*rules.locked, *rules.hidden}
    planned = [item for item in plans if item["rank"] == "allotted"]
    if planned:
        st.caption("Planned total rank")
        svg(schedule_svg(planned), key="sketch_svg")
    if unplanned := [item["label"] for item in plans if item not in planned]:
        st.caption(f"{', '.join(unplanned)}: no rank to plan; that of dW is measured.")
    for number, finding in enumerate(merged((item["label"], lint) for item in plans for lint in item["lints"])):
        st.caption(f":material/warning: {', '.join(finding['labels'])}: {plain(worded(finding['message']))}")
        if finding["fix"] and not outside_controls(finding["changes"]) and not held & set(finding["changes"]):
            st.button(finding["fix"], key=f"fix-{number}", type="tertiary", icon=":material/build:",
                      on_click=_set_controls, args=(finding["changes"],))  # fmt: skip


def _set_controls(changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        st.session_state[name] = value
