"""A file on disk as a table: whatever is wrong with it is one line that begins with the field that names it."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from itertools import islice
from pathlib import Path

import pandas as pd

from triadapt.errors import ConfigError
from triadapt.tasks.existing_file import existing_file
from triadapt.tasks.parquet import batches, opened


def _parquet(path: Path, rows: int | None) -> pd.DataFrame:
    with opened(path) as file:
        pieces = list(batches(file, rows=rows))
        table = import_module("pyarrow").Table
        frame: pd.DataFrame = (table.from_batches(pieces) if pieces else file.schema_arrow.empty_table()).to_pandas()
        return frame


def _json_lines(path: Path, rows: int | None) -> pd.DataFrame:
    """Values as they stand: pandas would read dates and numbers into texts."""
    found = []
    with path.open(encoding="utf-8-sig") as file:
        filled = ((number, line) for number, line in enumerate(file, start=1) if line.strip())
        for number, line in islice(filled, rows):
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError(f'line {number}: {line.strip()[:40]} is no row, such as {{"text": ..., "label": ...}}')
            found.append(row)
    return pd.DataFrame(found)


def _separated(separator: str) -> Callable[[Path, int | None], pd.DataFrame]:
    # Only an empty cell is missing: "None" and "NA" are words, and may be classes. A column is of one kind throughout.
    return lambda path, rows: pd.read_csv(
        path, sep=separator, keep_default_na=False, na_values=[""], nrows=rows, low_memory=False
    )


READERS: dict[str, Callable[[Path, int | None], pd.DataFrame]] = {
    ".csv": _separated(","),
    ".tsv": _separated("\t"),
    ".jsonl": _json_lines,
    ".parquet": _parquet,
}


def read_table(what: str, name: str, rows: int | None = None) -> pd.DataFrame:
    """The table in the file `name`, or its first `rows`. what: begins the line if that fails. Raises ConfigError."""
    path = existing_file(what, name)
    if path.suffix.lower() not in READERS:
        raise ConfigError([f"{what}: cannot be read as a table; give one of {', '.join(READERS)}"])
    try:
        return READERS[path.suffix.lower()](path, rows)
    except Exception as error:  # what a parser raises at a file of another kind is anybody's guess
        told = " ".join(str(error).split())[:160] or type(error).__name__
        raise ConfigError([f"{what}: cannot be read ({told})"]) from None


SIDES = {"train": ("train", "training"), "dev": ("dev", "validation", "valid", "val", "test")}


def sides_of(train: str, dev: str) -> tuple[str, str]:
    """The files of both sides: what is named, and where that is a folder what its files are called. Raises ConfigError
    for a folder without a file of training rows, or with two."""
    folder = _folder(train)
    if folder is None:
        return train, dev
    found = {
        side: [
            file
            for name in names
            for file in sorted(folder.iterdir())
            if file.stem.lower() == name and file.suffix.lower() in READERS and file.is_file()
        ]
        for side, names in SIDES.items()
    }
    if len(found["train"]) != 1:
        there = ", ".join(file.name for file in found["train"]) or "none"
        raise ConfigError(
            [f"files.train = {train!r}: a folder; it needs one file called train, such as train.csv, and has {there}"]
        )
    return str(found["train"][0]), dev or (str(found["dev"][0]) if found["dev"] else "")


def _folder(name: str) -> Path | None:
    try:
        path = Path(name).expanduser()
        return path if name and path.is_dir() else None
    except (OSError, ValueError, RuntimeError):
        return None
