"""What is said of wrong input: one line a fault."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ConfigError(ValueError):
    """One or more wrong fields. `lines` holds one line for each: field, value, what is allowed."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = [printable(line) for line in lines]
        super().__init__("; ".join(self.lines))


def printable(line: str) -> str:
    """A line that is one, whatever stood in the names that it tells."""
    return line if line.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)


def suggest(value: str, known: Iterable[str]) -> str:
    """`did you mean ...? ` with the nearest of the known names, or nothing."""
    near = difflib.get_close_matches(value, list(known), n=1)
    return f"did you mean {near[0]}? " if near else ""
