"""The one RunManager of a server, shared by all its visitors."""

from __future__ import annotations

import functools
import gc
import threading

from triadapt.runs.library import runs_folder
from triadapt.ui.classroom.desk import Desk
from triadapt.ui.classroom.seat import seat
from triadapt.workers.manager import RunManager

_lock = threading.Lock()


def shared_manager() -> RunManager:
    """The manager over the configured folder of runs; its worker begins to warm up at the first call."""
    # Not Streamlit's cache, which any browser may ask to be emptied.
    with _lock:
        return _made()


@functools.cache
def _made() -> RunManager:
    # The modules loaded by now stay for good. Python need not look for garbage among them whenever a long run is read.
    gc.freeze()
    return RunManager(runs_folder(None))


def manager() -> Desk:
    """The manager as the visitor of this session has it."""
    return Desk(shared_manager(), seat())
