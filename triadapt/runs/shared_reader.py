"""One reading of a run for all who watch it: what was read and decoded for one is there for the next."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from triadapt.events import Stamped
from triadapt.runs.info import RunInfo
from triadapt.runs.known_infos import LIVE_SECONDS, State, state_of
from triadapt.runs.reader import RunReader

MOST_RUNS, MOST_EVENTS = 12, 10_000
"""Runs that are kept, those looked at last, and events of each, the newest."""
KEPT_SECONDS = 600.0
"""How long a run is kept that nobody looks at."""


class SharedReader(RunReader):
    """A reader whose snapshots share their events, which nobody may change. Threads can share it."""

    def __init__(self, folder: Path, most: int = MOST_EVENTS) -> None:
        super().__init__(folder)
        self._most = most
        self._lock = threading.Lock()
        self._state: State | None = None
        self._when = 0.0
        self._known: RunInfo | None = None
        self._events: list[Stamped] = []
        self._from = 0

    def snapshot(self, after: int = 0) -> tuple[RunInfo, list[Stamped]]:
        """`info` and `events` of one and the same moment. Raises DamagedRunError."""
        with self._lock:
            known = self._catch_up()
            if after >= self._from:
                return known, self._events[bisect_right(self._events, after, key=_seq) :]
        return super().snapshot(after)  # of a run so long that its beginning is not kept

    def _catch_up(self) -> RunInfo:
        state, now = state_of(self.folder), time.monotonic()
        known = self._known
        if known is not None and state == self._state and (not known.live or now - self._when < LIVE_SECONDS):
            return known
        info, events = super().snapshot(self._last() if known is not None else 0)
        if known is not None and info.generation != known.generation:
            info, events = super().snapshot(0)
            self._events, self._from = [], 0
        self._events = self._events + events  # another list: who was given the old one goes on with it
        if (more := len(self._events) - self._most) > 0:
            self._from = self._events[more - 1].seq
            self._events = self._events[more:]
        self._state, self._when, self._known = state, now, info
        return info

    def _last(self) -> int:
        return self._events[-1].seq if self._events else self._from


def _seq(event: Stamped) -> int:
    return event.seq


class SharedReaders:
    """Readers of the runs that were looked at last, and not too long ago. now: a clock, in seconds."""

    def __init__(self, most: int = MOST_RUNS, now: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._now = now
        self._lock = threading.Lock()
        self._readers: OrderedDict[Path, tuple[float, SharedReader]] = OrderedDict()  # since when nobody asked

    def reader(self, folder: Path) -> SharedReader:
        """The reader of that run."""
        with self._lock:
            now = self._now()
            kept = self._readers.pop(folder, None)
            found = kept[1] if kept is not None else SharedReader(folder)
            self._readers[folder] = now, found
            while len(self._readers) > self._most or now - self._oldest() > KEPT_SECONDS:
                self._readers.popitem(last=False)
            return found

    def _oldest(self) -> float:
        return next(iter(self._readers.values()))[0]


SHARED = SharedReaders()
"""Of this process."""
