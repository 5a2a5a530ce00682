"""The labels of a table as numbers, for regression."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from triadapt.errors import ConfigError


def numbers(labels: Iterable[Any], what: str) -> list[float]:
    """Each label as a finite number; texts of digits are numbers, too. what: begins the line of a ConfigError."""
    return [_number(label, what) for label in labels]


def _number(label: Any, what: str) -> float:
    if isinstance(label, bool | np.bool_) or not isinstance(label, str | int | float | np.integer | np.floating):
        raise ConfigError([f"{what}: holds a {type(label).__name__} ({str(label)[:40]}), not numbers"])
    try:
        value = float(label)
    except (ValueError, OverflowError):
        raise ConfigError(
            [f"{what}: holds {str(label)[:40]!r}, not numbers; name a column of numbers, or learn classes"]
        ) from None
    if not math.isfinite(value) or abs(value) > 1e6:
        raise ConfigError([f"{what}: holds {value:g}; numbers must be finite and at most a million"])
    return value
