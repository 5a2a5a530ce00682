"""The labels of a table as names of classes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from triadapt.errors import ConfigError

MOST_CLASSES = 200


def class_names(labels: Iterable[Any], what: str) -> list[str]:
    """What each label is called: words as they are, whole numbers in digits, so that 1, 1.0 and "1" are one class in
    whatever kinds of files they stand. what: begins the line of a ConfigError where one is no class."""
    return [_name(label, what) for label in labels]


def in_order(names: Iterable[str], what: str, rows: str) -> list[str]:
    """The different names, numbers by their size and words by the alphabet. rows: what they are those of, in words.
    Raises ConfigError when there are too few or too many."""
    found = list(dict.fromkeys(names))
    if len(found) < 2:
        only = f"the label {found[0]!r}" if found else "no label"
        raise ConfigError([f"{what}: every one of {rows} has {only}; two classes are needed"])
    if len(found) > MOST_CLASSES:
        raise ConfigError(
            [f"{what}: {len(found)} different values, at most {MOST_CLASSES} classes; name another column"]
        )
    numbers = all(re.fullmatch(r"-?\d+", name) for name in found)
    return sorted(found, key=int) if numbers else sorted(found)


def _name(label: Any, what: str) -> str:
    if isinstance(label, str | bool | np.bool_):
        return str(label)
    if isinstance(label, int | np.integer):
        return str(int(label))
    if not isinstance(label, float | np.floating):
        kind = type(label).__name__
        raise ConfigError(
            [f"{what}: holds a {kind} ({str(label)[:40]}), not classes; name a column of classes, or learn a number"]
        )
    if not math.isfinite(label) or float(label) != int(label):
        raise ConfigError(
            [f"{what}: holds numbers such as {label:g}, not classes; name a column of classes, or learn a number"]
        )
    return str(int(label))
