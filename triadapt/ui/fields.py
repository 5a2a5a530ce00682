"""What the pages call the fields of a configuration, which of them have a control, and sentences in these words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import BaseModel

from triadapt.config import RunConfig

NUMBER = int | float


@dataclass(frozen=True)
class Field:
    """One control. `key` is the path of a RunConfig field and the name in the address; low, high and step bound the
    widget, `options` makes it a choice, `text` a line of text."""

    key: str
    label: str
    help: str
    low: NUMBER = 0
    high: NUMBER = 0
    step: NUMBER = 1
    options: tuple[str, ...] = ()
    slider: bool = True
    text: bool = False


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
    ),
    "files": (
        Field("files.train", "Training file", "Path of a .csv, .tsv, .jsonl or .parquet file here.", text=True),
        Field("files.dev", "Held-out file", "A file of the same columns; empty: every tenth training row.", text=True),
        Field("files.text", "Text column", "Column of the text.", text=True),
        Field("files.text_pair", "Second text column", "Where rows are pairs; empty: none.", text=True),
        Field("files.label", "Label column", "Column of the class.", text=True),
        Field("files.max_tokens", "Longest input", "Tokens.", 16, 512, 8, slider=False),
    ),
}  # fmt: skip
ALL = (*SCHEDULE, *TRAINING, *MORE, *(field for fields in OF_TASK.values() for field in fields))
# Of fields without a control; a field that is not here is called by the last part of its name.
OTHERS = {
    "lr_schedule": "Rate schedule",
    "weight_decay": "Weight decay",
    "max_grad_norm": "Gradient clipping",
    "scores_every": "Record scores every",
    "geometry_every": "Record geometry every",
    "adalora.init_rank_ratio": "Start rank over budget",
    "triadaptlora.init": "Values of new blocks",
    "increlora.block_warmup": "Warm-up of new blocks",
}
LABELS = {field.key: field.label for field in ALL} | OTHERS


def label(name: str) -> str:
    """What the page calls the field of that name."""
    words = name.rpartition(".")[2].replace("_", " ")
    return LABELS.get(name) or words[:1].upper() + words[1:]


def in_page_words(line: str) -> str:
    """A line about fields, as the command line says it, with the page's labels before their names:
    `warmup = 580: ...` becomes `Warm-up (warmup) = 580: ...`.

    A name that is also an English word, as in "another growth mode", counts only in backticks or before an equals sign.
    """
    return _NAMES.sub(lambda found: _called(found["ticked"] or found["set"] or found["name"]), line)


def _called(name: str) -> str:
    called = label(name)
    return called if called.lower() == name else f"{called} ({name})"


def _all_names() -> list[str]:
    names = []
    for name, field in RunConfig.model_fields.items():
        kind = field.annotation
        section = isinstance(kind, type) and issubclass(kind, BaseModel)
        names += [f"{name}.{inner}" for inner in kind.model_fields] if section else [name]  # type: ignore[union-attr]
    return sorted(names, key=len, reverse=True)


def _pattern() -> re.Pattern[str]:
    names = [re.escape(name) for name in _all_names()]
    unlike_words = [name for name in names if re.search(r"[_.]|^warmup$", name)]
    begin, end = r"(?<![\w.`])", r"(?![\w`]|\.\w)"
    return re.compile(
        rf"`(?P<ticked>{'|'.join(names)})`|{begin}(?P<set>{'|'.join(names)})(?= = )"
        rf"|{begin}(?P<name>{'|'.join(unlike_words)}){end}"
    )


_NAMES = _pattern()
