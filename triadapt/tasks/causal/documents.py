"""Documents of text files, of rows, or of a folder. Whatever is wrong is one line with the field's name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from triadapt.errors import ConfigError
from triadapt.pretrained.look import look_at
from triadapt.tasks.causal.settings import KINDS, NAME_ONE, Settings
from triadapt.tasks.existing_file import LARGEST_BYTES, existing_file, existing_path, stamp
from triadapt.tasks.parquet import batches, is_flat, opened

PLAIN = (".txt", ".md")
GLANCE_ROWS, GLANCE_BYTES = 200, 4 * 1024**2
LONGEST = 64 * 1024**2
"""Bytes of one document in a .parquet file."""


def documents(settings: Settings, side: str) -> Iterator[str]:
    """The documents of `train` or `dev`, in the order of the file or of the names in a folder; those of white space
    alone are left out. Read as they are asked for. Raises ConfigError."""
    name = str(getattr(settings, side))
    what = f"causal.{side} = {name!r}"
    for path in _files(what, name):
        for text in _texts(path, what if path.name in name else f"{what}: {path.name}", settings.text):
            if text.strip():
                yield text


def glance(settings: Settings) -> list[str]:
    """What is wrong with files and model as far as their beginnings tell, a line each. Cheap, and free where nothing
    changed."""
    if settings.check(None):
        return []
    return list(_glance(settings, (stamp(settings.train), stamp(settings.dev), stamp(settings.model))))


@lru_cache(maxsize=32)
def _glance(settings: Settings, stamps: tuple[object, ...]) -> tuple[str, ...]:
    try:
        for side in ("train", "dev"):
            name = str(getattr(settings, side))
            if not name:
                continue
            what = f"causal.{side} = {name!r}"
            large = any(file.suffix.lower() in PLAIN and _size(file) > GLANCE_BYTES for file in _files(what, name)[:1])
            if not large and not _begins_with_text(settings, side):
                return (f"{what}: holds no text; give some",)
        look = look_at(settings.model, "causal.model", settings.revision)
    except ConfigError as error:
        return tuple(error.lines)
    return () if look is None or look.decoder else (no_decoder(settings, look.model_type),)


def _begins_with_text(settings: Settings, side: str) -> bool:
    """Whether a document is among the first, all of which are read."""
    count = 0
    for text in islice(documents(settings, side), GLANCE_ROWS):
        count += len(text)
        if count > GLANCE_BYTES:
            break
    return count > 0


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def no_decoder(settings: Settings, family: str) -> str:
    """The line about a model that is no causal one."""
    return f"causal.model = {settings.model!r}: its files hold a {family} without a causal language model; {NAME_ONE}"


def _files(what: str, name: str) -> list[Path]:
    path = existing_path(what, name)
    if not path.is_dir():
        if path.suffix.lower() not in KINDS:
            raise ConfigError([f"{what}: cannot be read as text; give a folder, or one of {', '.join(KINDS)}"])
        return [existing_file(what, name)]
    found = sorted(file for file in path.iterdir() if file.suffix.lower() in PLAIN and file.is_file())
    if not found:
        raise ConfigError([f"{what}: no .txt or .md file in this folder; name another, or a file"])
    return found


def _texts(path: Path, what: str, column: str) -> Iterator[str]:
    kind = path.suffix.lower()
    try:
        if kind in PLAIN:
            yield path.read_text(encoding="utf-8-sig")
            return
        rows = _json_lines(path) if kind == ".jsonl" else _parquet(path, what, column)
        for number, row in rows:
            yield _text(row, column, f"{what}: row {number}")
    except ConfigError:
        raise
    except Exception as error:  # what a parser raises at a file of another kind is anybody's guess
        told = " ".join(str(error).split())[:160] or type(error).__name__
        raise ConfigError([f"{what}: cannot be read ({told})"]) from None


def _text(row: Any, column: str, at: str) -> str:
    if not isinstance(row, dict):
        raise ConfigError([f'{at}: {str(row)[:40]} is no row, such as {{"{column}": "..."}}'])
    if column not in row:
        has = ", ".join(map(str, list(row)[:20])) or "nothing"
        raise ConfigError([f"causal.text = {column!r}: no such column in {at}; it has {has}"])
    value = row[column]
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ConfigError(
            [f"causal.text = {column!r}: {at} holds {type(value).__name__}, not text; name another column"]
        )
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ConfigError([f"{at}: holds half a character (a lone surrogate); correct it"]) from None
    return value


def _json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, json.loads(line)


def _parquet(path: Path, what: str, column: str) -> Iterator[tuple[int, Any]]:
    with opened(path) as file:
        if column not in file.schema_arrow.names:
            has = ", ".join(file.schema_arrow.names[:20]) or "nothing"
            raise ConfigError([f"causal.text = {column!r}: no such column in {what}; it has {has}"])
        kind = file.schema_arrow.field(column).type
        if not is_flat(kind):
            raise ConfigError([f"causal.text = {column!r}: {what} holds {kind}, not text; name another column"])
        number = 0
        for batch in batches(file, [column], most=LARGEST_BYTES, longest=LONGEST):
            for value in batch.column(0):
                number += 1
                yield number, {column: value.as_py()}
