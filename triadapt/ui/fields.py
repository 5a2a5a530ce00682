"""What the pages call the fields of a configuration, and sentences about them in these words."""

from __future__ import annotations

import re

from pydantic import BaseModel

from triadapt.config import RunConfig
from triadapt.ui.control_fields import ALL

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
