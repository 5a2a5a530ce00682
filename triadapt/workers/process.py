"""The worker: a process that trains one race at a time.

Started as `python -m triadapt.workers.process` with JSON lines on stdin (orders) and stdout (reports):

    orders   {"order": "race", "race": id, "folders": [...], "resume": bool, "orphaned": text}
             {"order": "pause" | "unpause" | "step" | "step_event" | "stop", "race": id, "reason": text}
    reports  {"report": "ready"}
             {"report": "progress", "race": id, "step": n, "steps": n, "speed": x, "paused": bool, "message": text}
             {"report": "ended", "race": id, "states": {run id: state}, "error": text}

When stdin closes, whoever started the worker is gone: the race is stopped with a checkpoint and the worker exits.
`orphaned`, which may be left out, is the reason that is then recorded.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from triadapt.workers import sessions
from triadapt.workers.lockstep import Command, Lockstep, Progress

REPORT_SECONDS = 0.1
APP_CLOSED = "the app was closed"


class Worker:
    """Obeys orders from `orders`, reports to `reports`."""

    def __init__(self, orders: int, reports: BinaryIO, open_sessions: str) -> None:
        self._orders = orders
        self._reports = reports
        self._open_sessions = open_sessions
        self._races: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._race = ""
        self._orphaned = APP_CLOSED
        self._closed = False
        self._warm = False
        self._reported = 0.0

    def work(self) -> None:
        """Train races until stdin closes."""
        # Listening comes first: a parent that goes away during the warm-up must be noticed too.
        threading.Thread(target=self._listen, name="orders", daemon=True).start()
        module = import_module(self._open_sessions.partition(":")[0])
        warm_up = getattr(module, "warm_up", None)
        if warm_up is not None:
            warm_up()
        self._warm = True
        self._report({"report": "ready"})
        while (order := self._races.get()) is not None:
            self._train(order)

    def _train(self, order: dict[str, Any]) -> None:
        race = order["race"]
        states: dict[str, str] = {}
        error = ""

        def report(progress: Progress) -> None:
            now = time.monotonic()
            if progress.message or progress.paused or now - self._reported >= REPORT_SECONDS:
                self._reported = now
                self._report({"report": "progress", "race": race, **progress.__dict__})

        try:
            states = Lockstep(
                [Path(folder) for folder in order["folders"]],
                sessions.load(self._open_sessions),
                resume=order["resume"],
                commands=self._commands_for(race),
                report=report,
            ).run()
        except Exception as failure:
            error = f"{type(failure).__name__}: {' '.join(str(failure).split())}"
        with self._lock:
            self._race = ""
        self._report({"report": "ended", "race": race, "states": states, "error": error})

    def _commands_for(self, race: str) -> queue.SimpleQueue[Command]:
        with self._lock:
            # Orders that arrived between the race and here were put into a queue of its own already.
            if self._race != race:
                self._race, self._commands = race, queue.SimpleQueue()
            if self._closed:
                self._commands.put(Command("stop", self._orphaned))
            return self._commands

    def _listen(self) -> None:
        # Raw reads: a thread that sleeps in a buffered stdin makes the interpreter abort at exit.
        rest = b""
        while chunk := os.read(self._orders, 65536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._take(json.loads(line))
        with self._lock:
            if not self._warm:
                os._exit(0)  # nothing to save, and an import cannot be interrupted
            self._closed = True
            self._commands.put(Command("stop", self._orphaned))
        self._races.put(None)

    def _take(self, order: dict[str, Any]) -> None:
        if order["order"] == "race":
            with self._lock:
                self._orphaned = order.get("orphaned", APP_CLOSED)
                if not self._race:
                    self._race, self._commands = order["race"], queue.SimpleQueue()
            self._races.put(order)
            return
        with self._lock:
            if order["race"] == self._race:
                self._commands.put(Command(order["order"], order.get("reason", "stopped by the user")))

    def _report(self, values: dict[str, Any]) -> None:
        try:
            self._reports.write(json.dumps(values).encode() + b"\n")
            self._reports.flush()
        except OSError:
            pass  # nobody listens any more; stdin tells the same, and the race ends by that


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry of the process."""
    parser = argparse.ArgumentParser(prog="python -m triadapt.workers.process")
    parser.add_argument("--sessions", default=sessions.OPEN_SESSIONS, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    # What a library prints must not get between the reports, so stdout is given away and stdout becomes stderr.
    orders, reports = os.dup(0), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    Worker(orders, reports, options.sessions).work()
    sys.stderr.flush()


if __name__ == "__main__":
    main()
