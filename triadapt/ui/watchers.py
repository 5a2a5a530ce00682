"""How many sessions watch a race now, so that each asks less often when they are many."""

from __future__ import annotations

import threading
import time

AWAY_SECONDS = 6.0
"""A session that did not ask for so long is gone."""


class Watchers:
    """Sessions by when they asked last. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[str, float] = {}

    def here(self, session: str, now: float | None = None) -> int:
        """A session asks. Returns how many there are, itself among them."""
        now = time.monotonic() if now is None else now
        with self._lock:
            self._asked[session] = now
            gone = [one for one, when in self._asked.items() if now - when > AWAY_SECONDS]
            for one in gone:
                del self._asked[one]
            return len(self._asked)


WATCHERS = Watchers()
"""Of this server."""


def between_refreshes(watchers: int, *, alone: float, at_once: int, most: float) -> float:
    """Seconds between two refreshes of one of so many sessions: `alone` as long as not more than `at_once` watch, then
    as much longer as they are more, at most `most`."""
    return min(most, alone * max(1.0, watchers / at_once))
