"""A table on disk as labelled texts: read, checked, split. Whatever is wrong is one line with the field's name."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api import types

from triadapt.config import ConfigError
from triadapt.tasks.files.settings import Settings
from triadapt.tasks.text.labelled import LabelledText, Side

LARGEST_BYTES = 2 * 1024**3
MOST_CLASSES = 200
LEAST_TRAIN, LEAST_DEV = 16, 8
HELD_OUT = 10  # one row in so many, where there is no file of held-out rows

READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    # Only an empty cell is missing: "None" and "NA" are words, and may be classes.
    ".csv": lambda path: pd.read_csv(path, keep_default_na=False, na_values=[""]),
    ".tsv": lambda path: pd.read_csv(path, sep="\t", keep_default_na=False, na_values=[""]),
    ".jsonl": lambda path: pd.read_json(path, lines=True),
    ".parquet": lambda path: pd.read_parquet(path),
}


def labelled_text(settings: Settings) -> LabelledText:
    """The rows that the settings name. Rows without text or label are left out and counted in `facts`.

    Classes are the labels of the training rows, in order; held-out rows are those of `dev`, or one training row in ten,
    chosen by a hash of the row, so that a row that stands twice is on one side. Raises ConfigError.
    """
    table, dropped = _table("train", settings.train, settings)
    if settings.dev:
        dev, dropped_dev = _table("dev", settings.dev, settings)
    else:
        held_out = table.apply(lambda row: int(_hash(list(row))[:8], 16) % HELD_OUT == 0, axis=1)
        table, dev, dropped_dev = table[~held_out], table[held_out], 0
    table = table[: settings.train_rows]
    for side, rows, least in (("train", table, LEAST_TRAIN), ("dev", dev, LEAST_DEV)):
        if len(rows) < least:
            what = f"files.{side} = {getattr(settings, side)!r}"
            raise ConfigError([f"{what}: {len(rows)} usable rows, at least {least} are needed; give a larger file"])
    classes = _classes(table["label"], settings)
    names = [_name(label) for label in classes]
    strange = sorted({_name(label) for label in dev["label"]} - set(names))
    if strange:
        raise ConfigError(
            [f"files.dev = {settings.dev!r}: label {strange[0]!r} is in no training row; correct it or leave it out"]
        )
    known = {tuple(row) for row in _texts(table).itertuples(index=False)}
    facts = {
        "files": {"train": Path(settings.train).name, "dev": Path(settings.dev).name},
        "rows_left_out": {"train": dropped, "dev": dropped_dev},
        "held_out_texts_seen_in_training": sum(tuple(row) in known for row in _texts(dev).itertuples(index=False)),
    }
    digest = _hash([table.to_dict("list"), dev.to_dict("list")])
    return LabelledText(_side(table, names), _side(dev, names), tuple(names), digest, facts)


def _table(side: str, name: str, settings: Settings) -> tuple[pd.DataFrame, int]:
    """Columns `first`, `second` where there is one, and `label`; and how many rows were left out."""
    what = f"files.{side} = {name!r}"
    frame = _read(what, name)
    wanted = {"first": ("text", settings.text), "label": ("label", settings.label)}
    if settings.text_pair:
        wanted["second"] = ("text_pair", settings.text_pair)
    lines = [
        _missing_column(field, column, what, [str(column) for column in frame.columns])
        for field, column in wanted.values()
        if column not in frame.columns
    ]
    if lines:
        raise ConfigError(lines)
    chosen = pd.DataFrame({target: frame[column] for target, (_, column) in sorted(wanted.items())})
    for target in ("first", "second"):
        if target in chosen and not types.is_string_dtype(chosen[target].dropna()):
            (field, column), kind = wanted[target], chosen[target].dtype
            raise ConfigError([f"files.{field} = {column!r}: holds {kind}, not text; name another column"])
    usable = chosen.dropna()
    filled = usable["first"].str.strip() != ""
    return usable[filled].reset_index(drop=True), len(chosen) - int(filled.sum())


def _read(what: str, name: str) -> pd.DataFrame:
    path = Path(name).expanduser()
    if not path.is_file():
        raise ConfigError([f"{what}: no such file"])
    if path.stat().st_size > LARGEST_BYTES:
        raise ConfigError([f"{what}: {path.stat().st_size / 1024**3:.1f} GiB, the limit is 2; cut it to what you need"])
    try:
        frame = READERS[path.suffix.lower()](path)
    except (ValueError, OSError, pd.errors.ParserError) as error:
        raise ConfigError([f"{what}: cannot be read ({' '.join(str(error).split())[:160]})"]) from None
    return frame


def _missing_column(field: str, column: str, what: str, columns: list[str]) -> str:
    near = difflib.get_close_matches(column, columns, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return f"files.{field} = {column!r}: no such column in {what}; {hint}it has {', '.join(columns) or 'none'}"


def _classes(labels: pd.Series[Any], settings: Settings) -> list[Any]:
    what = f"files.label = {settings.label!r}"
    found = list(labels.unique())
    if len(found) < 2:
        raise ConfigError([f"{what}: every training row has the label {_name(found[0])!r}; two classes are needed"])
    numbers = types.is_numeric_dtype(labels)
    if numbers and any(float(label) != int(label) for label in found):
        raise ConfigError([f"{what}: holds numbers such as {found[0]:g}, not classes; name a column of classes"])
    if len(found) > MOST_CLASSES:
        raise ConfigError(
            [f"{what}: {len(found)} different values, at most {MOST_CLASSES} classes; name another column"]
        )
    return sorted(found, key=float) if numbers else sorted(found, key=str)


def _name(label: Any) -> str:
    return str(int(label)) if isinstance(label, float) else str(label)


def _texts(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(columns="label")


def _side(table: pd.DataFrame, names: list[str]) -> Side:
    number = {name: index for index, name in enumerate(names)}
    second = list(table["second"]) if "second" in table else None
    return Side(list(table["first"]), second, [number[_name(label)] for label in table["label"]])


def _hash(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, default=str).encode()).hexdigest()
