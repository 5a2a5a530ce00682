"""A worker process as its parent sees it: orders in, reports out, and the news of its death."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from triadapt.workers.sessions import MOST_THREADS

LAST_BYTES = 4000
LAST_LINES = 20


class WorkerProcess:
    """Starts `triadapt.workers.process`. `ready` turns true when its imports are done. most_threads: CPU threads it may
    train with at most, 0 for as many as its runs ask for.

    on_report(worker, report) and on_death(worker, how, last lines of stderr) are called from a thread that watches the
    process; on_death is called once, after the process was waited for.
    """

    def __init__(
        self,
        open_sessions: str,
        on_report: Callable[[WorkerProcess, dict[str, Any]], None],
        on_death: Callable[[WorkerProcess, str, str], None],
        most_threads: int = 0,
    ) -> None:
        self.ready = False
        self._on_report = on_report
        self._on_death = on_death
        self._log = tempfile.TemporaryFile(prefix="triadapt-worker-")
        # A session of its own: Ctrl-C in the terminal reaches the parent alone, which closes the worker properly.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "triadapt.workers.process", "--sessions", open_sessions],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,
            env={**os.environ, MOST_THREADS: str(most_threads)} if most_threads else None,
        )
        self._sending = threading.Lock()
        self._watcher = threading.Thread(target=self._watch, name=f"worker {self._process.pid}", daemon=True)
        self._watcher.start()

    @property
    def pid(self) -> int:
        """Process number."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def send(self, order: dict[str, Any]) -> bool:
        """Give an order. False when the process is gone."""
        stdin = self._process.stdin
        assert stdin is not None
        try:
            with self._sending:
                stdin.write(json.dumps(order).encode() + b"\n")
                stdin.flush()
        except (OSError, ValueError):
            return False
        return True

    def close(self, timeout: float) -> None:
        """Close its stdin, which makes it stop its race and exit; kill it after `timeout` seconds."""
        stdin = self._process.stdin
        assert stdin is not None
        with suppress(OSError), self._sending:
            stdin.close()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if threading.current_thread() is not self._watcher:
            self._watcher.join(timeout)

    def _watch(self) -> None:
        stdout, stdin = self._process.stdout, self._process.stdin
        assert stdout is not None and stdin is not None
        for line in stdout:
            with suppress(ValueError):  # cut short by death
                report = json.loads(line)
                self.ready = self.ready or report["report"] == "ready"
                self._on_report(self, report)
        code = self._process.wait()
        self.ready = False
        with suppress(OSError), self._sending:
            stdin.close()
        stdout.close()
        last_lines = self._last_lines()
        self._log.close()
        self._on_death(self, _how(code), last_lines)

    def _last_lines(self) -> str:
        size = self._log.seek(0, 2)
        self._log.seek(max(0, size - LAST_BYTES))
        return "\n".join(self._log.read().decode("utf-8", "replace").splitlines()[-LAST_LINES:])


def _how(code: int) -> str:
    if code < 0:
        with suppress(ValueError):
            name = signal.Signals(-code).name
            hint = ", often for want of memory" if name == "SIGKILL" else ""
            return f"worker process was killed (signal {-code}, {name}{hint})"
        return f"worker process was killed (signal {-code})"
    return f"worker process ended unexpectedly (exit code {code})"
