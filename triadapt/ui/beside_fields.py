"""What is wrong with a field, said right under it, and what is only not typed yet told from what is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from streamlit.delta_generator import DeltaGenerator

from triadapt.ui.markdown import plain

EMPTY = "'': "
"""How the rest of a line begins where the field is still empty."""


def rest_about(line: str, key: str) -> str | None:
    """What a line says about the field `key`, as `5: must be from 10 to 20`; None for a line about something else."""
    found = re.match(rf"(?:(?:space|base)\.)?{re.escape(key)}(?:\.\w+)?(?:: | = )(.*)", line)
    return found[1] if found else None


def say_beside(places: Mapping[str, DeltaGenerator], lines: Sequence[str]) -> None:
    """The first line about a field at its place too: the button and the lines by it may be out of sight from there."""
    for key, place in places.items():
        rest = next(filter(None, (rest_about(line, key) for line in lines)), None)
        if rest is not None:
            icon, words = ("edit", _asked(rest)) if rest.startswith(EMPTY) else ("error", rest)
            place.caption(f":material/{icon}: {plain(words)}")


def still_empty(lines: Iterable[str], keys: Iterable[str]) -> dict[str, str]:
    """Of the lines those that say no more than that one of the fields `keys` is empty, each with what is asked for."""
    found = {}
    for line in lines:
        for key in keys:
            rest = rest_about(line, key)
            if rest is not None and rest.startswith(EMPTY):
                found[line] = _asked(rest)
    return found


def _asked(rest: str) -> str:
    words = rest.removeprefix(EMPTY)
    return words[:1].upper() + words[1:]
