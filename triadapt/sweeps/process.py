"""The coordinator as a process of its own: `python -m triadapt.sweeps.process STUDY_FOLDER`.

Started by whoever shows the study, with a pipe as its standard input. When that closes, whoever started it is gone:
the trials that run are stopped with checkpoints, the workers end, and the study can be resumed. The same happens on
SIGTERM. What it has to say stands in the study's folder; `coordinator.log` has what libraries print.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from triadapt.config import ConfigError
from triadapt.runs.info import RunError
from triadapt.sweeps.coordinator import Coordinator
from triadapt.sweeps.state import give_order
from triadapt.workers.sessions import OPEN_SESSIONS

LOG_FILE = "coordinator.log"
STARTER_GONE = "the app was closed"


class StudyProcess:
    """A coordinator that was started for the study in `folder`, as its starter sees it."""

    def __init__(self, folder: Path, open_sessions: str = OPEN_SESSIONS) -> None:
        self.folder = folder
        with open(folder / LOG_FILE, "ab") as log:
            # A session of its own: Ctrl-C in the terminal reaches the starter alone, which closes this one properly.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "triadapt.sweeps.process", str(folder), "--sessions", open_sessions],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Process number."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs. What one that has ended still held is given back."""
        if self._process.poll() is None:
            return True
        self._close_stdin()
        return False

    def stop(self) -> None:
        """Ask for the end, with checkpoints."""
        give_order(self.folder, "stop")

    def close(self, timeout: float = 60.0) -> int:
        """Close its standard input and wait for its end; kill it after `timeout` seconds. Returns its exit code."""
        self._close_stdin()
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _close_stdin(self) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the process. Exit codes: 0 the study is over or was stopped, 1 it failed, 2 it could not be run."""
    parser = argparse.ArgumentParser(prog="python -m triadapt.sweeps.process")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sessions", default=OPEN_SESSIONS, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    coordinator = Coordinator(options.folder, options.sessions)
    signal.signal(signal.SIGTERM, lambda number, frame: coordinator.stop("stopped by SIGTERM"))
    threading.Thread(target=_watch_stdin, args=(coordinator,), name="stdin", daemon=True).start()
    try:
        info = coordinator.run()
    except (ConfigError, RunError) as error:
        print(f"{options.folder.name}: {error}", file=sys.stderr)
        return 2
    return 1 if info.state == "failed" else 0


def _watch_stdin(coordinator: Coordinator) -> None:
    # Raw reads: a thread that sleeps in a buffered stdin makes the interpreter abort at exit.
    while os.read(0, 4096):
        pass
    coordinator.stop(STARTER_GONE)


if __name__ == "__main__":
    sys.exit(main())
