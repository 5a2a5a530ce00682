"""Tables as labelled texts: columns chosen, rows checked, held-out rows split off. Whatever is wrong is one line."""

from __future__ import annotations

import difflib
import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from triadapt.errors import ConfigError
from triadapt.tasks.labelled.classes import class_names, in_order
from triadapt.tasks.labelled.numbers import numbers
from triadapt.tasks.labelled.rows import LabelledText, Side
from triadapt.tasks.labelled.settings import TableSettings

LEAST_TRAIN, LEAST_DEV = 16, 8
HELD_OUT = 10  # one row in so many, where there are no held-out rows


@dataclass(frozen=True)
class Tables:
    """Rows for training and, where they come by themselves, held-out ones (`dev`).

    section: of the settings, such as `files`. train_is, dev_is: what a line about them begins with, such as
    `files.train = 'a.csv'`. to_name_dev: how held-out rows are named, in words.
    """

    section: str
    train: pd.DataFrame
    dev: pd.DataFrame | None
    train_is: str
    dev_is: str
    to_name_dev: str


def labelled_text(tables: Tables, settings: TableSettings) -> LabelledText:
    """The rows that the settings name. Rows without text or label are left out and counted in `facts`.

    Classes are the labels of the training rows, in order. Held-out rows are those of `dev`, or one row in ten, chosen
    by a hash of the row, so that a row that stands twice is on one side; of what comes after the last training row
    none but what makes eight. Raises ConfigError.
    """
    table, dropped = columns_of(tables.train, tables.train_is, settings, tables.section)
    if tables.dev is not None:
        table = table[: settings.train_rows]
        dev, dropped_dev = columns_of(tables.dev, tables.dev_is, settings, tables.section)
    else:
        table, dev = _split(table, settings.train_rows)
        dropped_dev = 0
    if len(table) < LEAST_TRAIN:
        raise ConfigError([_too_few(tables.train_is, len(table), LEAST_TRAIN)])
    if len(dev) < LEAST_DEV:
        raise ConfigError([_too_few(tables.dev_is, len(dev), LEAST_DEV) if tables.dev is not None else (
            f"{tables.train_is}: only {len(dev)} rows can be held out of it, at least {LEAST_DEV} are needed; give "
            f"more rows, or name {tables.to_name_dev}"
        )])  # fmt: skip
    what = f"{tables.section}.label = {settings.label!r}"
    known = {tuple(row) for row in _texts(table).itertuples(index=False)}
    facts = {
        "rows_left_out": {"train": dropped, "dev": dropped_dev},
        "held_out_texts_seen_in_training": sum(tuple(row) in known for row in _texts(dev).itertuples(index=False)),
    }
    if settings.kind == "regression":
        names: list[str] = []
        labels = [numbers(side["label"], what) for side in (table, dev)]
    else:
        names, labels = _classes(table, dev, tables, settings, what)
    digest = _hash([table.to_dict("list"), dev.to_dict("list")])
    return LabelledText(_side(table, labels[0]), _side(dev, labels[1]), tuple(names), digest, facts)


def _classes(
    table: pd.DataFrame, dev: pd.DataFrame, tables: Tables, settings: TableSettings, what: str
) -> tuple[list[str], list[list[float]]]:
    labels, dev_labels = class_names(table["label"], what), class_names(dev["label"], what)
    cut = len(table) == settings.train_rows
    names = in_order(labels, what, f"the first {len(table)} training rows" if cut else "the training rows")
    strange = sorted(set(dev_labels) - set(names))
    if strange and tables.dev is not None:
        raise ConfigError([f"{tables.dev_is}: label {strange[0]!r} is in no training row; correct it or leave it out"])
    if strange:
        raise ConfigError(
            [
                f"{tables.train_is}: all rows with the label {strange[0]!r} are among those held out; give more of "
                f"them, or name {tables.to_name_dev}"
            ]
        )
    number = {name: index for index, name in enumerate(names)}
    return names, [[number[label] for label in side] for side in (labels, dev_labels)]


def columns_of(
    frame: pd.DataFrame, what: str, settings: TableSettings, section: str
) -> tuple[pd.DataFrame, int]:  # fmt: skip
    """Columns `first`, `second` where there is one, and `label`; and how many rows were left out. what: begins the line
    of a ConfigError about the table, section that about a column."""
    wanted = {"first": ("text", settings.text), "label": ("label", settings.label)}
    if settings.text_pair:
        wanted["second"] = ("text_pair", settings.text_pair)
    columns = [str(column) for column in frame.columns]
    lines = [
        _wrong_column(f"{section}.{field}", column, what, columns)
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
            raise ConfigError([f"{section}.{field} = {column!r}: holds {kind}, not text; name another column"])
    usable = chosen.dropna()
    filled = usable["first"].astype(str).str.strip() != ""
    return usable[filled].reset_index(drop=True), len(chosen) - int(filled.sum())


def _split(table: pd.DataFrame, most: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """At most `most` training rows, and those held out up to the last of them, or the first `LEAST_DEV`."""
    held_out = np.array([int(_hash(list(row))[:8], 16) % HELD_OUT == 0 for row in table.itertuples(index=False)], bool)
    among = np.cumsum(~held_out) <= most
    return table[among & ~held_out], table[held_out & (among | (np.cumsum(held_out) <= LEAST_DEV))]


def _no_text(held: pd.Series[Any]) -> Any:
    return next((value for value in held if not isinstance(value, str)), None)


def _wrong_column(field: str, column: str, what: str, columns: list[str]) -> str:
    if columns.count(column) > 1:
        return f"{field} = {column!r}: {columns.count(column)} columns of {what} are called so; rename one"
    near = difflib.get_close_matches(column, columns, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"{field} = {column!r}: no such column in {what}; {hint}it has {_listed(columns)}"


def _listed(columns: list[str], most: int = 20) -> str:
    more = f" and {len(columns) - most} more" if len(columns) > most else ""
    return (", ".join(columns[:most]) or "none") + more


def _too_few(what: str, count: int, least: int) -> str:
    return f"{what}: {count} usable rows, at least {least} are needed; give more rows"


def _texts(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(columns="label")


def _side(table: pd.DataFrame, labels: list[float]) -> Side:
    return Side(list(table["first"]), list(table["second"]) if "second" in table else None, labels)


def _hash(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, default=str).encode()).hexdigest()
