"""Trials on this machine: a few worker processes, each training one run at a time."""

from __future__ import annotations

import queue
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from triadapt.sweeps.backends import BackendError, Ended, Outcome
from triadapt.sweeps.config import Range, SweepConfig
from triadapt.workers.sessions import OPEN_SESSIONS, cores, threads_of
from triadapt.workers.worker import WorkerProcess

MOST_FAILED_STARTS = 2
CLOSING_SECONDS = 30.0
ORPHANED = "the process that ran the study ended"
_OUTCOMES: dict[str, Outcome] = {"finished": "finished", "stopped": "stopped", "failed": "failed"}


def default_workers(config: SweepConfig) -> int:
    """How many runs of a study this machine trains at a time without their threads getting in each other's way.

    By what the study says of threads alone: its base need not make a run without the fields that are swept.
    """
    task = str(config.base.get("task", "planted"))
    swept = config.space.get("threads", (config.base.get("threads", 0),))
    asked = (swept.high,) if isinstance(swept, Range) else swept
    return max(1, cores() // max(threads_of(task, int(threads)) for threads in asked))


def open_backend(config: SweepConfig, open_sessions: str) -> LocalBackend:
    """As many workers as the study asks for, or as this machine has cores for."""
    return LocalBackend(config.workers or default_workers(config), open_sessions)


@dataclass
class _Slot:
    worker: WorkerProcess
    run: str = ""
    ready: bool = False


class LocalBackend:
    """A backend of `workers` processes. The threads of all together are at most the cores: a worker that may use them
    all would slow the others down. open_sessions: `module:function` that the workers open sessions with."""

    def __init__(self, workers: int, open_sessions: str = OPEN_SESSIONS) -> None:
        self._workers = workers
        self._open_sessions = open_sessions
        self._most_threads = max(1, cores() // workers)
        self._slots: list[_Slot] = []
        self._news: queue.SimpleQueue[tuple[WorkerProcess, dict[str, Any]]] = queue.SimpleQueue()
        self._failed_starts = 0
        self._why = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for slot in self._slots:
            if slot.run:
                slot.worker.send({"order": "stop", "race": slot.run, "reason": ORPHANED})
        for slot in self._slots:
            slot.worker.close(CLOSING_SECONDS)
        self._slots.clear()

    def free(self) -> int:
        """Processes that train nothing, those not yet started included."""
        return self._workers - sum(1 for slot in self._slots if slot.run)

    def start(self, folder: Path, *, resume: bool) -> None:
        """Give the run in `folder` to a worker that is idle."""
        slot = next((slot for slot in self._slots if not slot.run and slot.worker.alive), None)
        if slot is None:
            slot = _Slot(WorkerProcess(self._open_sessions, self._on_report, self._on_death, self._most_threads))
            self._slots.append(slot)
        slot.run = folder.name
        # A worker that has just died tells of it by itself, and the run is lost with it.
        slot.worker.send(
            {"order": "race", "race": folder.name, "folders": [str(folder.absolute())], "resume": resume,
             "orphaned": ORPHANED}
        )  # fmt: skip

    def stop(self, run: str, reason: str) -> None:
        """Ask the worker that trains `run` to stop it."""
        for slot in self._slots:
            if slot.run == run:
                slot.worker.send({"order": "stop", "race": run, "reason": reason})

    def poll(self, timeout: float) -> list[Ended]:
        """What ended; see `Backend`."""
        until, found = time.monotonic() + timeout, list[Ended]()
        while not found or not self._news.empty():
            try:
                worker, news = self._news.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            ended = self._died(worker, news) if news["report"] == "died" else self._reported(worker, news)
            found += [ended] if ended else []
        if self._failed_starts >= MOST_FAILED_STARTS:
            raise BackendError(f"no worker can start: {self._why}")
        return found

    def _on_report(self, worker: WorkerProcess, report: dict[str, Any]) -> None:
        if report["report"] != "progress":
            self._news.put((worker, report))

    def _on_death(self, worker: WorkerProcess, how: str, last_lines: str) -> None:
        self._news.put((worker, {"report": "died", "how": how, "last_lines": last_lines}))

    def _reported(self, worker: WorkerProcess, report: dict[str, Any]) -> Ended | None:
        slot = self._slot_of(worker)
        if slot is not None and report["report"] == "ready":
            slot.ready, self._failed_starts = True, 0
        if slot is None or report.get("race", "") != slot.run or not slot.run:
            return None
        run, slot.run = slot.run, ""
        return Ended(run, _OUTCOMES.get(report["states"].get(run, ""), "failed"), report["error"])

    def _died(self, worker: WorkerProcess, news: dict[str, Any]) -> Ended | None:
        slot = self._slot_of(worker)
        if slot is None:
            return None
        self._slots.remove(slot)
        last_lines = news["last_lines"].strip().splitlines()
        if not slot.ready:
            self._failed_starts += 1
            self._why = last_lines[-1] if last_lines else news["how"]
        return Ended(slot.run, "lost", news["how"]) if slot.run else None

    def _slot_of(self, worker: WorkerProcess) -> _Slot | None:
        return next((slot for slot in self._slots if slot.worker is worker), None)
