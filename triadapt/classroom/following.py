"""Where the teacher of a class is, for those who follow. In the memory of the server: a new one begins without."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

MOST_CLASSES = 1000


@dataclass(frozen=True)
class Place:
    """on: whether the class is asked to follow. page: the name of its file. lesson, run: what is open on it, empty for
    nothing in particular. number: grows with every move."""

    on: bool = False
    page: str = ""
    lesson: str = ""
    run: str = ""
    number: int = 0


_NOWHERE = Place()
_places: dict[str, Place] = {}
_lock = threading.Lock()


def place_of(code: str) -> Place:
    """Where the teacher of that class is."""
    return _places.get(code, _NOWHERE)


def turn(code: str, on: bool) -> None:
    """Ask the class to follow, or no longer."""
    _put(code, on=on)


def move(code: str, page: str, lesson: str = "", run: str = "") -> None:
    """The teacher is there now."""
    _put(code, page=page, lesson=lesson, run=run)


def _put(code: str, **changes: object) -> None:
    with _lock:
        before = place_of(code)
        after = replace(before, **changes)  # type: ignore[arg-type]
        if after != before:
            if len(_places) >= MOST_CLASSES:
                _places.clear()
            _places[code] = replace(after, number=before.number + 1)
