"""The coordinators that this server started, one process a study.

A coordinator's standard input ends with the server, and the coordinator with it: its runs stop with checkpoints, and
the study can be resumed.
"""

from __future__ import annotations

import atexit
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import streamlit as st

from triadapt.sweeps.library import new_study
from triadapt.sweeps.config import SweepConfig

LOG = "coordinator.log"
END_SECONDS = 15.0


class StudyProcesses:
    """Starts and ends coordinators over the folder `runs`. Every method may be called from any thread."""

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._lock = threading.Lock()
        self._started: dict[str, subprocess.Popen[bytes]] = {}
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
            if running is not None and running.poll() is None:
                return
            with (folder / LOG).open("ab") as log:
                self._started[folder.name] = subprocess.Popen(
                    [sys.executable, "-m", "triadapt.sweeps.process", str(folder.absolute())],
                    stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=log,
                )  # fmt: skip

    def starting(self, study: str) -> bool:
        """Whether a coordinator that was started here is alive, even if its study does not say so yet."""
        with self._lock:
            running = self._started.get(study)
            return running is not None and running.poll() is None

    def end(self) -> None:
        """End all coordinators, which stop their runs with checkpoints."""
        with self._lock:
            for process in self._started.values():
                if process.stdin is not None:
                    with suppress(OSError):
                        process.stdin.close()
            for process in self._started.values():
                with suppress(subprocess.TimeoutExpired):
                    process.wait(END_SECONDS)


@st.cache_resource(show_spinner=False)
def study_processes(runs: str) -> StudyProcesses:
    """Those of this server, shared by all its visitors."""
    return StudyProcesses(Path(runs))
