"""The controls of a race: what each is called, what it may hold, and what it holds at first. Knows no Streamlit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from triadapt.config import RunConfig
from triadapt.methods.registry import METHODS
from triadapt.tasks.registry import TASKS

NUMBER = int | float


@dataclass(frozen=True)
class Field:
    """One control. `key` is the path of a RunConfig field and the name in the address; low, high and step bound the
    widget, `options` makes it a choice, `text` a line of text, `flag` a switch. `more`: a line of text that is seldom
    needed."""

    key: str
    label: str
    help: str
    low: NUMBER = 0
    high: NUMBER = 0
    step: NUMBER = 1
    options: tuple[str, ...] = ()
    slider: bool = True
    text: bool = False
    flag: bool = False
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


def _of_settings(section: str, settings: type[BaseModel]) -> tuple[Field, ...]:
    """The controls that the settings of a method ask for: fields with a title. Bounds are those of the field, where its
    `control` does not narrow them."""
    return tuple(
        _control(f"{section}.{name}", info) for name, info in settings.model_fields.items() if info.title is not None
    )


def _control(key: str, info: FieldInfo) -> Field:
    title, description = info.title or key, info.description or ""
    if options := get_args(info.annotation):
        return Field(key, title, description, options=tuple(map(str, options)))
    if info.annotation is bool:
        return Field(key, title, description, flag=True)
    if info.annotation not in (int, float):
        raise TypeError(f"{key}: no control for {info.annotation}; leave out its title")
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    given: Any = extra.get("control", {})
    kind = int if info.annotation is int else float
    bounds = {
        name: getattr(one, name) for one in info.metadata for name in ("ge", "gt", "le", "lt") if hasattr(one, name)
    }
    low = given.get("low", bounds.get("ge", bounds.get("gt", 0)))
    high = given.get("high", bounds.get("le", bounds.get("lt", 0)))
    return Field(key, title, description, kind(low), kind(high), kind(given.get("step", 1)), slider=False)


OF_METHOD = {name: _of_settings(name, spec.settings_class()) for name, spec in METHODS.items()}


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


def field_problem(field: Field, text: str) -> str | None:
    """What is wrong with a value of a control, as text; None where it can be shown."""
    if field.text:
        return None
    if field.flag:
        return None if text.lower() in ("true", "false") else "known are true, false"
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
    return [f"{field.label} {text} {reason}" for field, text in found if (reason := field_problem(field, text))]


def default_of(key: str, task: str) -> Any:
    """What a control holds before anybody moved it."""
    section, _, name = key.rpartition(".")
    if section:
        spec = TASKS.get(section) or METHODS[section]
        return spec.settings_class().model_fields[name].default
    return TASKS[task].defaults.get(key, RunConfig.model_fields[key].default)
