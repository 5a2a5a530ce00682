"""The controls of a race: widgets whose values stand in the address, and the configurations they describe."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from triadapt.config import ConfigError, RunConfig, data_problems, parse_config, set_value
from triadapt.figures.schedule import schedule_svg
from triadapt.methods.registry import METHODS
from triadapt.tasks.registry import TASKS
from triadapt.ui.beside_fields import say_beside, still_empty
from triadapt.ui.markdown import plain
from triadapt.ui.svg_component import svg
from triadapt.views.lab.findings import merged
from triadapt.views.plan import plan

NUMBER = int | float
BOARD_PREFIX = "v."
"""Of the names in the address that are the board's own (`ui/board/board_view.js`)."""


@dataclass(frozen=True)
class Field:
    """One control. `key` is the path of a RunConfig field and the name in the address; low, high and step bound the
    widget, `options` makes it a choice, `text` a line of text. `more`: a line of text that is seldom needed."""

    key: str
    label: str
    help: str
    low: NUMBER = 0
    high: NUMBER = 0
    step: NUMBER = 1
    options: tuple[str, ...] = ()
    slider: bool = True
    text: bool = False
    more: bool = False


SCHEDULE = (
    Field("reference_rank", "Budget", "Average rank a matrix at the end; growing methods climb to it, AdaLoRA prunes "
          "down to it, LoRA has it from the start.", 1, 16),
    Field("warmup", "Warm-up", "No rank changes up to and including this step.", 0, 1000),
    Field("interval", "Interval", "Steps between two rank events.", 1, 200),
    Field("growth", "Growth mode", "How many matrices may grow at an event: more and more (linear), few then many "
          "(non-linear), or always top-h (fixed). TriAdaptLoRA only.", options=("linear", "non-linear", "fixed")),
)  # fmt: skip
TRAINING = (
    Field("steps", "Steps", "Optimizer steps of each run.", 10, 100_000, 50, slider=False),
    Field("learning_rate", "Learning rate", "Peak rate of AdamW; it decays linearly to 0.", 1e-6, 1.0, 1e-3,
          slider=False),
    Field("seed", "Seed", "The same seed gives every method the same data in the same order.", 0, 2**31 - 1,
          slider=False),
)  # fmt: skip
MORE = (
    Field("add_r", "Ranks a growth", "Ranks a matrix gains when it grows.", 1, 8),
    Field("top_h", "Top h", "Matrices that grow at an event: IncreLoRA always, TriAdaptLoRA in fixed mode.", 1, 24),
    Field("alpha", "Alpha", "The update is scaled by alpha / budget.", 0.5, 256.0, 1.0, slider=False),
    Field("batch_size", "Batch size", "Rows a step.", 1, 512, slider=False),
    Field("eval_every", "Evaluate every", "Steps between two evaluations.", 1, 1000, slider=False),
)
OF_METHOD = {
    "triadaptlora": (
        Field("triadaptlora.behaviour", "TriAdaptLoRA decides", "As improved here, or as its authors' code does.",
              options=("improved", "reference")),
    ),
    "increlora": (
        Field("increlora.behaviour", "IncreLoRA decides", "As improved here, or as its authors' code does.",
              options=("improved", "reference")),
    ),
    "adalora": (
        Field("adalora.init_rank_ratio", "AdaLoRA starts at", "Start rank over budget; above 1.", 1.01, 64.0, 0.1,
              slider=False),
        Field("adalora.final_share", "AdaLoRA's final share", "Share of the steps at the end with the budget fixed.",
              0.0, 0.99, 0.05, slider=False),
    ),
    "lora": (
        Field("lora.where", "LoRA's ranks", "even: the same for every matrix. planted: all on the matrices with a "
              "planted change, the answer that the others look for and no method that one can use; planted task only.",
              options=("even", "planted")),
    ),
}  # fmt: skip


A_MODEL = "minilm, the folder of a saved model, or a hub id such as answerdotai/ModernBERT-base."


def _of_model(section: str, *, seldom: bool = False, help: str = A_MODEL) -> tuple[Field, ...]:
    """What every task on a pretrained model has. seldom: whether few choose another model."""
    return (
        Field(f"{section}.model", "Model", help, text=True, more=seldom),
        Field(f"{section}.adapt", "Adapt", "Places that get an adapter, such as q, v, 3.q or 0-5.up; empty: all of "
              "every block.", text=True, more=True),
        Field(f"{section}.weights", "Frozen weights", "How they are held; 4-bit needs bitsandbytes.",
              options=("float32", "bfloat16", "4-bit")),
    )  # fmt: skip


def _of_table(section: str) -> tuple[Field, ...]:
    return (
        Field(f"{section}.text", "Text column", "Column of the text.", text=True),
        Field(f"{section}.text_pair", "Second text column", "Where rows are pairs; empty: none.", text=True),
        Field(f"{section}.label", "Label column", "Column of the class, or of the number.", text=True),
        Field(f"{section}.kind", "What is learned", "A class a row, or a number.",
              options=("classification", "regression")),
        Field(f"{section}.metric", "Metric", "auto: accuracy of classes, Pearson's correlation of numbers.",
              options=("auto", "accuracy", "f1", "matthews", "pearson", "spearman")),
        Field(f"{section}.max_tokens", "Longest input", "Tokens.", 16, 512, 8, slider=False),
        Field(f"{section}.train_rows", "Training rows", "At most so many, the first.", 16, 2_000_000, 1000,
              slider=False),
    )  # fmt: skip


OF_TASK = {
    "planted": (
        Field("planted.blocks", "Blocks", "Transformer blocks, six matrices each.", 1, 12),
        Field("planted.width", "Width", "Model width d.", 16, 512, 16, slider=False),
        Field("planted.planted_fraction", "Planted share", "Share of matrices the teacher changed.", 0.0, 1.0, 0.05),
        Field("planted.planted_rank", "Planted rank", "Rank of each planted change.", 1, 32),
        Field("planted.strength", "Strength", "Size of a planted change over that of its matrix.", 0.1, 5.0, 0.1),
        Field("planted.noise", "Noise", "Standard deviation of noise on the targets.", 0.0, 2.0, 0.05),
    ),
    "text": (
        Field("text.labels", "Question", "pair: does this summary belong to this name? library: which library is it "
              "from?", options=("pair", "library")),
        Field("text.train_rows", "Training rows", "Docstrings to train on.", 100, 20_000, 100, slider=False),
        Field("text.max_tokens", "Longest input", "Tokens.", 16, 256, 8, slider=False),
        *_of_model("text", seldom=True),
    ),
    "files": (
        Field("files.train", "Training file", "Path of a .csv, .tsv, .jsonl or .parquet file here, or of a folder with "
              "one called train.", text=True),
        Field("files.dev", "Held-out file", "A file of the same columns; empty: every tenth training row.", text=True),
        *_of_table("files"),
        *_of_model("files"),
    ),
    "hub": (
        Field("hub.dataset", "Dataset", "Id of a dataset of the hub, such as nyu-mll/glue.", text=True),
        Field("hub.subset", "Subset", "Its configuration, such as sst2; empty: the only one.", text=True),
        Field("hub.train_split", "Training split", "Split of the training rows.", text=True, more=True),
        Field("hub.dev_split", "Held-out split", "Split of the held-out rows; empty: every tenth training row.",
              text=True, more=True),
        *_of_table("hub"),
        *_of_model("hub"),
    ),
    "qa": (
        Field("qa.train", "Training questions", "Path of a .json file as SQuAD v2 has it, or of a .jsonl file, here.",
              text=True),
        Field("qa.dev", "Held-out questions", "A file of these; empty: those of one context in ten.", text=True),
        Field("qa.max_tokens", "Longest window", "Tokens of question and context.", 32, 1024, 32, slider=False),
        Field("qa.eval_rows", "Questions scored", "At each evaluation.", 8, 10_000, 50, slider=False),
        *_of_model("qa"),
    ),
    "causal": (
        Field("causal.train", "Training text", "Path of a .txt, .md, .jsonl or .parquet file, or of a folder of .txt "
              "files, here.", text=True),
        Field("causal.dev", "Held-out text", "Named likewise; empty: a tenth of the training text.", text=True),
        Field("causal.block", "Block", "Tokens that are read at once.", 8, 2048, 8, slider=False),
        *_of_model("causal", help="Folder of a causal language model here, or its hub id."),
    ),
}  # fmt: skip
ALL = (
    *SCHEDULE, *TRAINING, *MORE,
    *(field for of_one in (OF_METHOD, OF_TASK) for fields in of_one.values() for field in fields),
)  # fmt: skip
FIELDS = {field.key: field for field in ALL}
UNUSABLE = "address_unusable"


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
    bounds = f"from {field.low} to {field.high}" if whole else f"from {field.low:g} to {field.high:g}"
    try:
        value = int(text) if whole else float(text)
    except ValueError:
        return f"must be a {'whole ' if whole else ''}number {bounds}"
    return None if field.low <= value <= field.high else f"must be {bounds}"


def outside_controls(query: Mapping[str, Any]) -> list[str]:
    """One line for each value of an address that the controls cannot show."""
    found = [(field, str(query[field.key])) for field in ALL if field.key in query]
    return [f"{field.label} {text} {reason}" for field, text in found if (reason := _problem(field, text))]


@dataclass
class Kept:
    """What the controls said last, whether that was on an earlier visit to the page, and what the address named on
    arrival."""

    values: dict[str, Any] = dataclass_field(default_factory=dict)
    earlier: bool = True
    named: frozenset[str] = frozenset()


def _kept() -> Kept:
    found: Kept = st.session_state.setdefault("controls_kept", Kept())
    return found


def note_address_problems() -> None:
    """Remember what is wrong in the address for as long as no control is moved."""
    st.session_state["address_problems"] = address_problems()


def open_controls() -> None:
    """Give the widgets their first values when the visitor comes to the page: what the address says, else what they
    were when the page was left, else the defaults. Call before `race_controls`."""
    params, before = st.query_params, _kept()
    before.earlier, kept = True, before.values
    before.named = frozenset(params)
    named = [name for name in params.get_all("method") if name in METHODS]
    st.session_state["method"] = named or kept.get("method", list(METHODS))
    task = params.get("task", kept.get("task", "planted"))
    st.session_state["task"] = task if task in TASKS else "planted"
    before.values = kept | {"method": st.session_state["method"], "task": st.session_state["task"]}
    for field in ALL:
        if field.key in kept and field.key not in params and "task" not in params:
            st.session_state[field.key] = kept[field.key]


def _find_again() -> None:
    """Give back what Streamlit dropped: a request that the browser makes before it has drawn a widget does not name it,
    and the server takes it for gone. What is bound to the address comes from there."""
    kept = _kept().values
    for key in ("method", "task"):
        if key not in st.session_state and key in kept:
            st.session_state[key] = kept[key]


def keep_controls() -> bool:
    """Remember the controls: Streamlit forgets widgets that the next page does not draw. Returns whether one moved."""
    keys = ["method", "task", *(field.key for field in ALL)]
    now = {key: st.session_state[key] for key in keys if key in st.session_state}
    kept = _kept()
    moved = not kept.earlier and now != kept.values
    kept.values, kept.earlier = now, False
    return moved


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
        spec = TASKS.get(section) or METHODS[section]
        return spec.settings_class().model_fields[name].default
    return TASKS[task].defaults.get(key, RunConfig.model_fields[key].default)


def _take_defaults_of_task() -> None:
    task = st.session_state["task"]
    for field in (*SCHEDULE, *TRAINING, *MORE):
        st.session_state[field.key] = _default(field.key, task)


def _widget(field: Field, task: str) -> Any:
    default = _default(field.key, task)
    shared: dict[str, Any] = {"key": field.key, "help": field.help, "bind": "query-params", "persist_state": "page"}
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
    _find_again()
    methods = st.pills(
        "Methods", list(METHODS), selection_mode="multi", key="method", persist_state="page",
        format_func=lambda name: METHODS[name].label,
        help="They race in lockstep: same data, same seed, same budget.",
    )  # fmt: skip
    task = st.selectbox(
        "Task", list(TASKS), key="task", persist_state="page", format_func=lambda name: TASKS[name].label,
        on_change=_take_defaults_of_task,
        help="; ".join(f"{spec.label}: {spec.summary}" for spec in TASKS.values()),
    )  # fmt: skip
    _write_choices(methods, task)
    values: dict[str, Any] = {"task": task}
    outside: dict[str, str] = {}
    for key in st.session_state.get(UNUSABLE, ()):
        st.session_state[key] = type(FIELDS[key].low)(_default(key, task))

    def control(field: Field) -> None:
        value = _text(_widget(field, task))
        if not field.slider and (reason := _problem(field, value)):
            outside[field.key] = worded(f"{field.key} = {value}: {reason}")
            value = _text(_default(field.key, task))  # so that what else is wrong can be said
        set_value(values, f"{field.key}={value}")

    with st.container(key="schedule"):
        for field in SCHEDULE:
            control(field)
        sketch = st.container(key="sketch")
    columns = st.columns(2)
    for index, field in enumerate(TRAINING):
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
    from_address = [key for key in outside if key in _kept().named]
    if _kept().earlier and from_address:  # numbers of the address have come into the widgets: take them out again
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
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def draw_sketch(configs: list[RunConfig], worded: Callable[[str], str] = str) -> None:
    """The planned total rank of each method, before a second is spent on training, and what speaks against it."""
    plans = [plan(config) for config in configs]
    if not plans:
        return
    st.caption("Planned total rank")
    svg(schedule_svg(plans), key="sketch_svg")
    for number, finding in enumerate(merged((item["label"], lint) for item in plans for lint in item["lints"])):
        st.caption(f":material/warning: {', '.join(finding['labels'])}: {plain(worded(finding['message']))}")
        if finding["fix"] and not outside_controls(finding["changes"]):
            st.button(finding["fix"], key=f"fix-{number}", type="tertiary", icon=":material/build:",
                      on_click=_set_controls, args=(finding["changes"],))  # fmt: skip


def _set_controls(changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        st.session_state[name] = value
