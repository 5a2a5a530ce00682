"""The coordinators that this server started, one process a study.

A coordinator's standard input ends with the server, and the coordinator with it: its runs stop with checkpoints, and
the study can be resumed.
"""

from __future__ import annotations

import atexit
import threading
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from triadapt.sweeps.config import SweepConfig
from triadapt.sweeps.library import new_study
from triadapt.workers.sessions import OPEN_SESSIONS

if TYPE_CHECKING:
    from triadapt.sweeps.process import StudyProcess

END_SECONDS = 15.0


class StudyProcesses:
    """Starts and ends coordinators over the folder `runs`. Every method may be called from any thread.

    open_sessions: `module:function` that runs are opened with; tests name a stand-in.
    """

    def __init__(self, runs: Path, open_sessions: str = OPEN_SESSIONS) -> None:
        self._runs = runs
        self._open_sessions = open_sessions
        self._lock = threading.Lock()
        self._started: dict[str, StudyProcess] = {}
        atexit.register(self.end)

    def start(self, config: SweepConfig) -> str:
        """Make a study and run it. Returns its id. Raises ConfigError, OSError with nothing left behind."""
        folder = new_study(self._runs, config)
        self.resume(folder)
        return folder.name

    def resume(self, folder: Path) -> None:
        """Run a study that is there, unless it runs already. Raises OSError."""
        with self._lock:
            running = self._started.get(folder.name)
            if running is None or not running.alive:
                # Imported once a study is started: it brings Optuna, which a server without studies does without.
                process = import_module("triadapt.sweeps.process")
                self._started[folder.name] = process.StudyProcess(folder, self._open_sessions)

    def alive(self, study: str) -> bool:
        """Whether a coordinator that was started here is alive, even if its study does not say so yet."""
        with self._lock:
            running = self._started.get(study)
            return running is not None and running.alive

    def end(self) -> None:
        """End all coordinators, which stop their runs with checkpoints."""
        atexit.unregister(self.end)
        with self._lock:
            running = [process for process in self._started.values() if process.alive]
            self._started.clear()
        for process in running:
            process.close(END_SECONDS)


@st.cache_resource(show_spinner=False)
def study_processes(runs: str) -> StudyProcesses:
    """Those of this server, shared by all its visitors."""
    return StudyProcesses(Path(runs))
