"""The finished runs of a folder, read once each."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

from triadapt.runs.info import DamagedRunError, RunInfo
from triadapt.views.methods.finished import FinishedRun, counts, read_finished

Mark = tuple[int, int, float | None]


class KnownResults:
    """What was read of each run, until it changes or is no longer asked for. Every method may be called from any
    thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Path, tuple[Mark, FinishedRun | None]] = {}

    def of(self, infos: Iterable[RunInfo]) -> list[FinishedRun]:
        """The results among these runs, in their order. What cannot be read is none, and is tried again."""
        found = []
        kept: dict[Path, tuple[Mark, FinishedRun | None]] = {}
        for info in infos:
            if info.folder is None or not counts(info):
                continue
            mark = info.last_seq, info.generation, info.metric_value
            with self._lock:
                known = self._known.get(info.folder)
            if known is None or known[0] != mark:
                try:
                    known = mark, read_finished(info)
                except DamagedRunError:
                    continue
            kept[info.folder] = known
            if known[1] is not None:
                found.append(known[1])
        with self._lock:
            self._known = kept
        return found


KNOWN_RESULTS = KnownResults()
"""Of this process."""
