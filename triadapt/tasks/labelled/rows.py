"""Labelled texts as a task takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Side:
    """Rows for training, or held-out ones: texts, for pairs a second text each, and class numbers, or numbers."""

    first: Sequence[str]
    second: Sequence[str] | None
    labels: Sequence[float]

    def head(self, rows: int) -> Side:
        """The first rows."""
        return Side(self.first[:rows], None if self.second is None else self.second[:rows], self.labels[:rows])

    def spread(self, rows: int) -> Side:
        """At most so many, evenly over all: neighbours may be of one class."""
        count = len(self.labels)
        if count <= rows:
            return self
        at = [index * count // rows for index in range(rows)]
        second = None if self.second is None else [self.second[i] for i in at]
        return Side([self.first[i] for i in at], second, [self.labels[i] for i in at])


@dataclass(frozen=True)
class LabelledText:
    """Both sides, the names of the classes (none where numbers are learned), a hash of all rows, and what else makes
    them reproducible."""

    train: Side
    dev: Side
    classes: tuple[str, ...]
    sha256: str
    facts: dict[str, Any] = field(default_factory=dict)
