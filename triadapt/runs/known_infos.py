"""Runs at a glance, kept until their files change: thirty visitors ask for the same list again and again."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from pathlib import Path

from triadapt.runs import schema
from triadapt.runs.info import RunInfo
from triadapt.runs.reader import RunReader

MOST = 4096
LIVE_SECONDS = 0.25
"""How long a run that is under way is taken for that without a look at its process."""

State = tuple[tuple[int, int, int] | None, ...]


def state_of(folder: Path) -> State:
    """What tells one state of a run's file from the next: of the file and of the log beside it."""
    return tuple(_state(folder / name) for name in (schema.FILE, f"{schema.FILE}-wal"))


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class KnownInfos:
    """What was read last of each run. Every method may be called from any thread."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._known: OrderedDict[Path, tuple[State, float, RunInfo]] = OrderedDict()

    def info(self, folder: Path) -> RunInfo:
        """`RunReader(folder).info()`. What could not be read is tried again each time: a file that is locked for a
        moment looks damaged, and is the same file when it is not any more."""
        state, now = state_of(folder), time.monotonic()
        with self._lock:
            known = self._known.get(folder)
        if known is not None and known[0] == state and (not known[2].live or now - known[1] < LIVE_SECONDS):
            return known[2]
        info = RunReader(folder).info()
        with self._lock:
            if info.state == "damaged":
                self._known.pop(folder, None)
                return info
            self._known[folder] = state, now, info
            self._known.move_to_end(folder)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return info


KNOWN = KnownInfos()
"""Of this process."""
