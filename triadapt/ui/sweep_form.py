"""A new study: what to vary, how often, and what that amounts to before it is started."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from triadapt.config import ConfigError, set_value
from triadapt.methods.registry import METHODS
from triadapt.sweeps.config import SweepConfig, parse_sweep
from triadapt.sweeps.space import Plan, plan
from triadapt.tasks.registry import TASKS
from triadapt.ui.beside_fields import say_beside, still_empty
from triadapt.ui.control_fields import OF_TASK, Field
from triadapt.ui.markdown import plain

SAMPLERS = {
    "grid": "every combination", "random": "drawn at random", "tpe": "where earlier points did well (TPE)",
}  # fmt: skip


@dataclass(frozen=True)
class _Swept:
    """A field that can be swept: its values as a line of text, empty for none."""

    key: str
    label: str
    first: str
    help: str


FIELDS = (
    _Swept("warmup", "Warm-up", "20, 60, 120", "Steps without a rank event."),
    _Swept("interval", "Interval", "10, 20, 40", "Steps between two rank events."),
    _Swept("reference_rank", "Budget", "", "Average rank a matrix at the end."),
    _Swept("growth", "Growth mode", "", "Of linear, non-linear, fixed."),
    _Swept("top_h", "Top h", "", "Matrices that grow at an event."),
    _Swept("learning_rate", "Learning rate", "", "Peak rate of AdamW."),
)
HOW = 'Several values, as in "20, 60, 120", are tried; one is taken for every run; "20 to 200" is a range.'


def sweep_form() -> SweepConfig | None:
    """Draw the form. Returns a study that can be started, once it is asked for."""
    data, lines, places = _draw()
    config: SweepConfig | None = None
    planned: Plan | None = None
    if not lines:
        try:
            config = parse_sweep(data)
            planned = plan(config)
        except ConfigError as error:
            lines = error.lines
    say_beside(places, lines)
    missing = still_empty(lines, places)
    if planned is not None and config is not None:
        seeds = len(config.seed_list)
        each = "1 seed" if seeds == 1 else f"{seeds} seeds"
        st.caption(f"{planned.count} points with {each} each: **{planned.count * seeds} runs**.")
        for line in planned.left_out[:5]:
            st.caption(f":material/warning: {plain(line)}")
    with st.container(horizontal=True):
        wanted = st.button(
            "Start the study", type="primary", icon=":material/play_arrow:", key="sweep_start",
            disabled=planned is None,
            help="Trains all points with all seeds, a few runs at a time, in a process of their own.",
        )  # fmt: skip
        if config is not None and planned is not None:
            st.download_button(
                "TOML", config.to_toml(), file_name="study.toml", icon=":material/download:", key="sweep_toml",
                help="The same study for `triadapt sweep study.toml`.", on_click="ignore",
            )  # fmt: skip
    for line in lines:
        if line in missing:
            st.info(plain(missing[line]), icon=":material/edit:")
        else:
            st.error(plain(line), icon=":material/error:")
    return config if wanted and planned is not None else None


@dataclass(frozen=True)
class _Number:
    """A whole number of the form; its bounds are checked here, for the browser would keep a value outside them to
    itself, and the last one inside would count."""

    key: str
    label: str
    low: int
    high: int
    step: int
    help: str

    def draw(
        self, first: int, places: dict[str, DeltaGenerator], lines: list[str], *, suffix: str = "", off: bool = False
    ) -> int:
        """Draw the field with a place under it, and return its value. A line where it is out of bounds."""
        with st.container():
            value = st.number_input(
                self.label, value=first, step=self.step, key=f"sweep_{self.key}{suffix}", help=self.help, disabled=off
            )
            places[self.key] = st.empty()
        if not self.low <= value <= self.high and not off:
            lines.append(f"{self.key} = {value}: must be from {self.low} to {self.high:,}")
        return value


STEPS = _Number("steps", "Steps", 10, 100_000, 10, "Optimizer steps of every run.")
SEEDS = _Number("seeds", "Seeds", 1, 100, 1, "Runs of each point; fewer than three tell next to nothing.")
POINTS = _Number("points", "How many points", 2, 10_000, 1, "Settings that are tried in all, each with every seed.")
WORKERS = _Number("workers", "Runs at a time (0: one a core)", 0, 64, 1, "Runs that train beside each other.")


def _draw() -> tuple[dict[str, Any], list[str], dict[str, DeltaGenerator]]:
    """The values as a study has them, a line for each text that is none, and the place under each field of text."""
    places: dict[str, DeltaGenerator] = {}
    lines: list[str] = []
    left, right = st.columns(2)
    with left:
        name = st.text_input(
            "Name",
            key="sweep_name",
            placeholder="for the list of studies",
            help="What the study is called on this page and among the runs.",
        )
        task = st.selectbox(
            "Task",
            list(TASKS),
            key="sweep_task",
            format_func=lambda key: TASKS[key].label,
            help="What every run of the study trains on.",
        )
        steps = STEPS.draw(int(TASKS[task].defaults["steps"]), places, lines, suffix=f"_{task}")
        methods = st.multiselect(
            "Methods", list(METHODS), ["triadaptlora", "increlora"], key="sweep_methods",
            format_func=lambda key: METHODS[key].label,
            help="Each method is tried at every point.",
        )  # fmt: skip
        seeds = SEEDS.draw(3, places, lines)
        section = {}
        for of_task in OF_TASK.get(task, ()):
            if of_task.text:
                text = st.text_input(of_task.label, _default(of_task), key=f"sweep_{of_task.key}", help=of_task.help)
                section[of_task.key.partition(".")[2]] = text.strip()
                places[of_task.key] = st.empty()
    with right:
        texts = {}
        for field in FIELDS:
            texts[field.key] = st.text_input(
                field.label, field.first, key=f"sweep_{field.key}", help=f"{field.help} {HOW}"
            )
            places[field.key] = st.empty()
    with st.container(horizontal=True):
        sampler = st.selectbox(
            "Points",
            list(SAMPLERS),
            key="sweep_sampler",
            format_func=SAMPLERS.__getitem__,
            help="How points are picked from the values below: all of them, at random, or where results so far look "
            "best.",
        )
        count = POINTS.draw(20, places, lines, off=sampler == "grid")
        workers = WORKERS.draw(0, places, lines)
    prune = st.checkbox(
        "End runs early that are worse than the median",
        key="sweep_prune",
        help="A run whose metric is worse than the median of its seed at the same step is stopped, which saves time "
        "and leaves fewer numbers.",
    )
    clear = st.checkbox("Stop once one point is clearly the best", key="sweep_clear", help="Needs four seeds.")
    base: dict[str, Any] = {"task": task, "steps": steps} | ({task: section} if section else {})
    space: dict[str, Any] = {}
    lines += [] if methods else ["methods: choose at least one"]
    if len(methods) > 1:
        space["method"] = methods
    elif methods:
        base["method"] = methods[0]
    for field in FIELDS:
        try:
            values = read_values(field.key, texts[field.key])
        except ConfigError as error:
            lines += error.lines
            continue
        if isinstance(values, dict) or len(values) > 1:
            space[field.key] = values
        elif values:
            base[field.key] = values[0]
    data: dict[str, Any] = {
        "name": name, "base": base, "space": space, "seeds": seeds, "sampler": sampler, "workers": workers,
        "prune": prune, "stop_when_clear": clear, "skip_invalid": True,
    }  # fmt: skip
    return data | ({} if sampler == "grid" else {"points": count}), lines, places


def _default(field: Field) -> str:
    task, _, name = field.key.partition(".")
    return str(TASKS[task].settings_class().model_fields[name].default)


def read_values(name: str, text: str) -> list[Any] | dict[str, Any]:
    """`20, 60` as a list, `20 to 200` as a range. Raises ConfigError with a line that begins with the name."""
    low, to, high = text.partition(" to ")
    if to:
        ends = [_value(part) for part in (low, high)]
        if not all(isinstance(end, int | float) for end in ends):
            raise ConfigError([f"{name} = {text!r}: a range is two numbers, as in 20 to 200"])
        return {"low": ends[0], "high": ends[1]}
    return [_value(part) for part in text.split(",") if part.strip()]


def _value(text: str) -> Any:
    data: dict[str, Any] = {}
    set_value(data, f"value={text.strip()}")
    return data["value"]
