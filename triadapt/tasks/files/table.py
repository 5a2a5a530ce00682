"""A table on disk as labelled texts: read, checked, split. Whatever is wrong is one line with the field's name."""

from __future__ import annotations

import difflib
import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from triadapt.config import ConfigError
from triadapt.tasks.files.classes import class_names, in_order
from triadapt.tasks.files.reading import read_table
from triadapt.tasks.files.settings import Settings
from triadapt.tasks.text.labelled import LabelledText, Side

LEAST_TRAIN, LEAST_DEV = 16, 8
HELD_OUT = 10  # one row in so many, where there is no file of held-out rows
GLANCE = 2000


def labelled_text(settings: Settings, rows: int | None = None) -> LabelledText:
    """The rows that the settings name. Rows without text or label are left out and counted in `facts`.

    Classes are the labels of the training rows, in order. Held-out rows are those of `dev`, or one row in ten, chosen
    by a hash of the row, so that a row that stands twice is on one side; of what comes after the last training row
    none but what makes eight. rows: of the files read no more than the first so many. Raises ConfigError.
    """
    table, dropped = _table("train", settings.train, settings, rows)
    if settings.dev:
        table = table[: settings.train_rows]
        dev, dropped_dev = _table("dev", settings.dev, settings, rows)
    else:
        table, dev = _split(table, settings.train_rows)
        dropped_dev = 0
    for side, found, least in (("train", table, LEAST_TRAIN), ("dev", dev, LEAST_DEV)):
        if len(found) < least:
            raise ConfigError([_too_few(side, len(found), least, settings)])
    what = f"files.label = {settings.label!r}"
    labels, dev_labels = class_names(table["label"], what), class_names(dev["label"], what)
    cut = len(table) == settings.train_rows
    names = in_order(labels, what, f"the first {len(table)} training rows" if cut else "the training rows")
    strange = sorted(set(dev_labels) - set(names))
    if strange:
        raise ConfigError([_strange(strange[0], settings)])
    known = {tuple(row) for row in _texts(table).itertuples(index=False)}
    facts = {
        "files": {"train": Path(settings.train).name, "dev": Path(settings.dev).name},
        "rows_left_out": {"train": dropped, "dev": dropped_dev},
        "held_out_texts_seen_in_training": sum(tuple(row) in known for row in _texts(dev).itertuples(index=False)),
    }
    digest = _hash([table.to_dict("list"), dev.to_dict("list")])
    return LabelledText(_side(table, labels, names), _side(dev, dev_labels, names), tuple(names), digest, facts)


def glance(settings: Settings) -> list[str]:
    """What is wrong with the files as far as their first `GLANCE` rows tell, a line each: whether they are there, their
    columns and what stands in these; of small files everything. Cheap, and free where they did not change. Nothing for
    names that no file of rows can have, which the configuration says itself."""
    if settings.check(None):
        return []
    return list(_glance(settings, tuple(_stamp(name) for name in (settings.train, settings.dev))))


@lru_cache(maxsize=32)
def _glance(settings: Settings, stamps: tuple[object, ...]) -> tuple[str, ...]:
    try:
        sides = [("train", settings.train)] + ([("dev", settings.dev)] if settings.dev else [])
        tables = [_table(side, name, settings, GLANCE) for side, name in sides]
        if all(len(table) + dropped < GLANCE for table, dropped in tables):
            labelled_text(settings, GLANCE)
        else:
            for table, _ in tables:
                class_names(table["label"], f"files.label = {settings.label!r}")
    except ConfigError as error:
        return tuple(error.lines)
    return ()


def _stamp(name: str) -> object:
    try:
        status = Path(name).expanduser().stat()
    except (OSError, ValueError, RuntimeError):
        return None
    return status.st_mtime_ns, status.st_size


def _split(table: pd.DataFrame, most: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """At most `most` training rows, and those held out up to the last of them, or the first `LEAST_DEV`."""
    held_out = np.array([int(_hash(list(row))[:8], 16) % HELD_OUT == 0 for row in table.itertuples(index=False)], bool)
    among = np.cumsum(~held_out) <= most
    return table[among & ~held_out], table[held_out & (among | (np.cumsum(held_out) <= LEAST_DEV))]


def _table(side: str, name: str, settings: Settings, rows: int | None) -> tuple[pd.DataFrame, int]:
    """Columns `first`, `second` where there is one, and `label`; and how many rows were left out."""
    what = f"files.{side} = {name!r}"
    frame = read_table(what, name, rows)
    wanted = {"first": ("text", settings.text), "label": ("label", settings.label)}
    if settings.text_pair:
        wanted["second"] = ("text_pair", settings.text_pair)
    columns = [str(column) for column in frame.columns]
    lines = [
        _wrong_column(field, column, what, columns)
        for field, column in wanted.values()
        if columns.count(column) != 1 or column not in frame.columns
    ]
    if lines:
        raise ConfigError(lines)
    chosen = pd.DataFrame({target: frame[column].astype(object) for target, (_, column) in sorted(wanted.items())})
    for target in ("first", "second"):
        held = chosen[target].dropna() if target in chosen else pd.Series(dtype=object)
        if len(held) and not types.is_string_dtype(held):
            (field, column) = wanted[target]
            kind = frame[column].dtype if frame[column].dtype != object else type(_no_text(held)).__name__
            raise ConfigError([f"files.{field} = {column!r}: holds {kind}, not text; name another column"])
    usable = chosen.dropna()
    filled = usable["first"].astype(str).str.strip() != ""
    return usable[filled].reset_index(drop=True), len(chosen) - int(filled.sum())


def _no_text(held: pd.Series[Any]) -> Any:
    return next((value for value in held if not isinstance(value, str)), None)


def _wrong_column(field: str, column: str, what: str, columns: list[str]) -> str:
    if columns.count(column) > 1:
        return f"files.{field} = {column!r}: {columns.count(column)} columns of {what} are called so; rename one"
    near = difflib.get_close_matches(column, columns, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"files.{field} = {column!r}: no such column in {what}; {hint}it has {_listed(columns)}"


def _listed(columns: list[str], most: int = 20) -> str:
    more = f" and {len(columns) - most} more" if len(columns) > most else ""
    return (", ".join(columns[:most]) or "none") + more


def _too_few(side: str, count: int, least: int, settings: Settings) -> str:
    if side == "dev" and not settings.dev:
        return (
            f"files.train = {settings.train!r}: only {count} rows can be held out of it, at least {least} are needed; "
            f"give a larger file, or name one of held-out rows in files.dev"
        )
    name = getattr(settings, side)
    return f"files.{side} = {name!r}: {count} usable rows, at least {least} are needed; give a larger file"


def _strange(label: str, settings: Settings) -> str:
    if settings.dev:
        return f"files.dev = {settings.dev!r}: label {label!r} is in no training row; correct it or leave it out"
    return (
        f"files.train = {settings.train!r}: all rows with the label {label!r} are among those held out; give more of "
        f"them, or name a file of held-out rows in files.dev"
    )


def _texts(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(columns="label")


def _side(table: pd.DataFrame, labels: list[str], names: list[str]) -> Side:
    number = {name: index for index, name in enumerate(names)}
    second = list(table["second"]) if "second" in table else None
    return Side(list(table["first"]), second, [number[label] for label in labels])


def _hash(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, default=str).encode()).hexdigest()
