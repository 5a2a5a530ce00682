"""Files on disk as labelled texts. Whatever is wrong is one line with the field's name."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from triadapt.errors import ConfigError
from triadapt.tasks.existing_file import stamp
from triadapt.tasks.files.reading import read_table, sides_of
from triadapt.tasks.files.settings import Settings
from triadapt.tasks.labelled.classes import class_names
from triadapt.tasks.labelled.numbers import numbers
from triadapt.tasks.labelled.rows import LabelledText
from triadapt.tasks.labelled.table import Tables, columns_of
from triadapt.tasks.labelled.table import labelled_text as of_tables

GLANCE = 2000


def labelled_text(settings: Settings, rows: int | None = None) -> LabelledText:
    """The rows that the settings name; see `tasks.labelled.table`. rows: of the files read no more than the first so
    many. Raises ConfigError."""
    tables = _tables(settings, rows)
    found = of_tables(tables, settings)
    train, dev = sides_of(settings.train, settings.dev)
    return replace(found, facts={"files": {"train": Path(train).name, "dev": Path(dev).name}, **found.facts})


def glance(settings: Settings) -> list[str]:
    """What is wrong with the files as far as their first `GLANCE` rows tell, a line each: whether they are there, their
    columns and what stands in these; of small files everything. Cheap, and free where they did not change. Nothing for
    names that no file of rows can have, which the configuration says itself."""
    if settings.check(None):
        return []
    return list(_glance(settings, tuple(stamp(name) for name in (settings.train, settings.dev))))


@lru_cache(maxsize=32)
def _glance(settings: Settings, stamps: tuple[object, ...]) -> tuple[str, ...]:
    try:
        tables = _tables(settings, GLANCE)
        sides = [(tables.train, tables.train_is)] + ([(tables.dev, tables.dev_is)] if tables.dev is not None else [])
        if all(len(frame) < GLANCE for frame, _ in sides):
            of_tables(tables, settings)
            return ()
        what = f"files.label = {settings.label!r}"
        for frame, is_ in sides:
            labels = columns_of(frame, is_, settings, "files")[0]["label"]
            if settings.kind == "regression":
                numbers(labels, what)
            else:
                class_names(labels, what)
    except ConfigError as error:
        return tuple(error.lines)
    return ()


def _tables(settings: Settings, rows: int | None) -> Tables:
    train, dev = sides_of(settings.train, settings.dev)
    train_is, dev_is = f"files.train = {settings.train!r}", f"files.dev = {settings.dev!r}"
    return Tables(
        "files",
        read_table(train_is, train, rows),
        read_table(dev_is if settings.dev else train_is, dev, rows) if dev else None,
        train_is,
        dev_is if settings.dev else train_is,
        "a file of held-out rows in files.dev",
    )
