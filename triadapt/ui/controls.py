"""The controls of a race: widgets whose values stand in the address, and the configurations they describe."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from triadapt.config import ConfigError, RunConfig, parse_config, set_value
from triadapt.figures.schedule import schedule_svg
from triadapt.methods.registry import METHODS
from triadapt.tasks.registry import TASKS
from triadapt.ui.fields import ALL, MORE, OF_TASK, SCHEDULE, TRAINING, Field, in_page_words
from triadapt.ui.svg_component import svg
from triadapt.views.plan import plan

BOARD_PREFIX = "v."
"""Of the names in the address that are the board's own (`ui/board/board_view.js`)."""


def address_problems() -> list[str]:
    """One line for each value in the address that cannot be used as it stands. Read before any widget exists: widgets
    drop what they cannot show without a word."""
    params = st.query_params
    lines = []
    for name in params.get_all("method"):
        if name not in METHODS:
            lines.append(f"method = {name!r} in the address: known are {', '.join(METHODS)}; left out")
    task = params.get("task", "planted")
    if task not in TASKS:
        lines.append(f"task = {task!r} in the address: known are {', '.join(TASKS)}; using planted")
    known = {"method", "task", "run", "parent", *(field.key for field in ALL)}
    foreign = [name for name in params if name not in known and not name.startswith(BOARD_PREFIX)]
    lines += [f"{name} in the address: unknown, left out" for name in foreign]
    for field in ALL:
        if field.key in params and (reason := _problem(field, params[field.key])):
            lines.append(f"{field.key} = {params[field.key]!r} in the address: {reason}; using the default")
    return lines


def _problem(field: Field, text: str) -> str | None:
    if field.text:
        return None
    if field.options:
        return None if text in field.options else f"known are {', '.join(field.options)}"
    whole = isinstance(field.low, int)
    try:
        value = int(text) if whole else float(text)
    except ValueError:
        return f"must be a {'whole ' if whole else ''}number from {field.low:g} to {field.high:g}"
    return None if field.low <= value <= field.high else f"must be from {field.low:g} to {field.high:g}"


def open_controls() -> None:
    """Give the widgets their first values when the visitor comes to the page: what the address says, else what they
    were when the page was left, else the defaults. Call before `race_controls`."""
    params, kept = st.query_params, st.session_state.pop("controls_kept", {})
    named = [name for name in params.get_all("method") if name in METHODS]
    st.session_state["method"] = named or kept.get("method", list(METHODS))
    task = params.get("task", kept.get("task", "planted"))
    st.session_state["task"] = task if task in TASKS else "planted"
    for field in ALL:
        if field.key in kept and field.key not in params and "task" not in params:
            st.session_state[field.key] = kept[field.key]


def keep_controls() -> bool:
    """Remember the controls: Streamlit forgets widgets that the next page does not draw. Returns whether one moved."""
    keys = ["method", "task", *(field.key for field in ALL)]
    before = st.session_state.get("controls_kept")
    st.session_state["controls_kept"] = {key: st.session_state[key] for key in keys if key in st.session_state}
    return before is not None and before != st.session_state["controls_kept"]


def _write_choices(methods: list[str], task: str) -> None:
    # Not bound like the other widgets: the address would hold labels, not the names of the command line.
    params = st.query_params
    wanted = [] if methods == list(METHODS) else [name for name in METHODS if name in methods]
    if params.get_all("method") != wanted:
        if wanted:
            params["method"] = wanted
        else:
            params.pop("method", None)
    if params.get("task", "planted") != task:
        params["task"] = task


def _default(key: str, task: str) -> Any:
    section, _, name = key.rpartition(".")
    if section:
        return TASKS[section].settings_class().model_fields[name].default
    return TASKS[task].defaults.get(key, RunConfig.model_fields[key].default)


def _take_defaults_of_task() -> None:
    task = st.session_state["task"]
    for field in (*SCHEDULE, *TRAINING, *MORE):
        st.session_state[field.key] = _default(field.key, task)


def _widget(field: Field, task: str) -> Any:
    default = _default(field.key, task)
    shared: dict[str, Any] = {"key": field.key, "help": field.help, "bind": "query-params"}
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
    return st.number_input(field.label, low, high, kind(default), step, format=form, **shared)


def race_controls() -> tuple[list[RunConfig], list[str]]:
    """Draw the controls. Returns one configuration a chosen method, and one line for each thing that is wrong."""
    methods = st.pills(
        "Methods", list(METHODS), selection_mode="multi", key="method", format_func=lambda name: METHODS[name].label,
        help="They race in lockstep: same data, same seed, same budget.",
    )  # fmt: skip
    task = st.selectbox(
        "Task", list(TASKS), key="task", format_func=lambda name: TASKS[name].label, on_change=_take_defaults_of_task,
        help="; ".join(f"{spec.label}: {spec.summary}" for spec in TASKS.values()),
    )  # fmt: skip
    _write_choices(methods, task)
    values: dict[str, Any] = {"task": task}
    with st.container(key="schedule"):
        for field in SCHEDULE:
            set_value(values, f"{field.key}={_text(_widget(field, task))}")
        sketch = st.container(key="sketch")
    columns = st.columns(2)
    for index, field in enumerate(TRAINING):
        with columns[index % 2]:
            set_value(values, f"{field.key}={_text(_widget(field, task))}")
    of_task = OF_TASK.get(task, ())
    for field in of_task:
        if field.text:  # nothing can be trained without it, so it is not hidden
            set_value(values, f"{field.key}={_text(_widget(field, task))}")
    with st.expander("More settings"):
        for field in (*MORE, *(field for field in of_task if not field.text)):
            set_value(values, f"{field.key}={_text(_widget(field, task))}")
    configs, wrong = [], {}
    for method in METHODS:
        if method in methods:
            try:
                configs.append(parse_config({**values, "method": method}))
            except ConfigError as error:
                wrong[method] = error.lines
    with sketch:
        draw_sketch(configs)
    return configs, _told_once(wrong, methods) if methods else ["method: choose at least one"]


def _told_once(wrong: dict[str, list[str]], methods: list[str]) -> list[str]:
    """Each line once: by itself where it holds for all methods, under the method's name otherwise."""
    wrong = {name: [in_page_words(line) for line in lines] for name, lines in wrong.items()}
    shared = [line for line in next(iter(wrong.values()), []) if all(line in wrong.get(name, []) for name in methods)]
    own = [f"{METHODS[name].label}: {line}" for name, lines in wrong.items() for line in lines if line not in shared]
    return [*shared, *own]


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def draw_sketch(configs: list[RunConfig]) -> None:
    """The planned total rank of each method, before a second is spent on training."""
    plans = [plan(config) for config in configs]
    if not plans:
        return
    st.caption("Planned total rank")
    svg(schedule_svg(plans), key="sketch_svg")
    notes = dict.fromkeys(f"{item['label']}: {in_page_words(line)}" for item in plans for line in item["warnings"])
    for note in notes:
        st.caption(f":material/warning: {note}")
