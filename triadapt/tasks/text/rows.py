"""Labelled rows made of docstrings, split by module and kept in the cache.

`pair`: does this summary belong to this name? A negative row carries the name of another docstring of the same module.
Labels alternate along a module and a negative takes the name of the docstring after it, a positive, so a name appears
as often with one label as with the other (but for a module of odd length) and tells next to nothing alone.
`library`: which library is the summary from?
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass
from typing import Literal

from triadapt.errors import ConfigError
from triadapt.tasks.cache_folder import cache_folder, cache_key, read_sealed, write_sealed
from triadapt.tasks.text.docstrings import MAX_PER_MODULE, Library, Module, draw, find_libraries, harvest

FORMAT = 1  # raise it whenever the rows made from the same sources change

# triadapt's own dependencies, or theirs: every installation has them.
LIBRARIES = {
    "pair": ("huggingface_hub", "networkx", "numpy", "pandas", "plotly", "streamlit", "torch", "transformers"),
    "library": ("numpy", "pandas", "plotly", "streamlit", "torch", "transformers"),
}
Labels = Literal["pair", "library"]


@dataclass(frozen=True)
class Row:
    """One labelled example. `name` is empty when the label is the library. `module` is the source file."""

    summary: str
    name: str
    label: int
    module: str


@dataclass(frozen=True)
class DocstringSet:
    """Training and held-out rows, in the order they are used; no module is in both.

    sha256: hash of all rows. versions: of Python and of each library read. missing: libraries not installed.
    """

    train: tuple[Row, ...]
    dev: tuple[Row, ...]
    classes: tuple[str, ...]
    sha256: str
    versions: dict[str, str]
    missing: tuple[str, ...]


def load_rows(
    labels: Labels, train_rows: int, dev_rows: int, *, libraries: list[Library] | None = None
) -> DocstringSet:
    """The rows for these settings, from the cache or harvested anew; a damaged cache file is written again.

    There are fewer rows than asked when the libraries hold no more. Raises ConfigError when there are too few to train.
    """
    missing: list[str] = []
    if libraries is None:
        libraries, missing = find_libraries(LIBRARIES[labels])
    versions = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    versions |= {library.name: library.version for library in libraries}
    facts = {"format": FORMAT, "labels": labels, "train": train_rows, "dev": dev_rows, "versions": versions}
    file = cache_folder() / f"docstrings-{labels}-{cache_key(facts)}.jsonl"
    sides = _parse(read_sealed(file))
    if sides is None:
        sides = _build(libraries, labels, train_rows, dev_rows)
        write_sealed(file, _text(*sides))
    train, dev = sides
    if len(train) < 16 or len(dev) < 8 or (labels == "library" and len(libraries) < 2):
        raise ConfigError(
            [
                f"text.labels = {labels!r}: found {len(train)} training and {len(dev)} held-out docstrings in "
                f"{len(libraries)} installed libraries, too few; install {', '.join(missing) or 'their sources'}"
            ]
        )
    classes = ("other name", "own name") if labels == "pair" else tuple(library.name for library in libraries)
    digest = hashlib.sha256(_text(train, dev).encode()).hexdigest()
    return DocstringSet(tuple(train), tuple(dev), classes, digest, versions, tuple(missing))


def _build(libraries: list[Library], labels: Labels, train_rows: int, dev_rows: int) -> tuple[list[Row], list[Row]]:
    modules = harvest(libraries, train_rows + dev_rows + MAX_PER_MODULE)  # a module goes to one side whole
    total = sum(len(module.docstrings) for own in modules.values() for module in own)
    held_out = min(1.0, total / (train_rows + dev_rows)) * dev_rows / max(total, 1)
    train: list[Row] = []
    dev: list[Row] = []
    owed = 0.0  # held-out rows due so far; what a whole module gives too much counts towards the next library
    for label, library in enumerate(libraries):
        own = modules[library.name]
        owed += held_out * sum(len(module.docstrings) for module in own)
        # Modules come in a drawn order, so the first ones are a fair sample of the library.
        for module in own:
            side = dev if len(dev) < owed else train
            side.extend(_pairs(module) if labels == "pair" else _library_rows(module, label))
    for side in (train, dev):
        side.sort(key=lambda row: draw("order", row.module, row.summary, row.name))
    return train[:train_rows], dev[:dev_rows]


def _library_rows(module: Module, label: int) -> list[Row]:
    return [Row(docstring.summary, "", label, module.path) for docstring in module.docstrings]


def _pairs(module: Module) -> list[Row]:
    docstrings = module.docstrings
    first = draw("label", module.path)[0] % 2
    rows = []
    for index, docstring in enumerate(docstrings):
        label = (index + first) % 2
        name = docstring.name
        if not label:
            after = (docstrings[(index + ahead) % len(docstrings)].name for ahead in range(1, len(docstrings)))
            name = next(other for other in after if other != docstring.name)
        rows.append(Row(docstring.summary, name, label, module.path))
    return rows


def _text(train: list[Row], dev: list[Row]) -> str:
    lines = [
        json.dumps([side, row.summary, row.name, row.label, row.module])
        for side, rows in (("train", train), ("dev", dev))
        for row in rows
    ]
    return "\n".join(lines)


def _parse(text: str | None) -> tuple[list[Row], list[Row]] | None:
    if text is None:
        return None
    sides: dict[str, list[Row]] = {"train": [], "dev": []}
    try:
        for line in text.splitlines():
            side, *values = json.loads(line)
            sides[side].append(Row(*values))
    except (ValueError, KeyError, TypeError):
        return None
    return sides["train"], sides["dev"]
