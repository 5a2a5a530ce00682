"""Who runs what: a queue of races, one worker process, and the word of the user.

Lives in the process of the pages, so it knows no torch. A race is queued as run folders on disk; whatever happens to a
worker, the folders say how far each run came. Visitors take turns (`turns.py`).
"""

from __future__ import annotations

import atexit
import itertools
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from triadapt.config import RunConfig
from triadapt.events import Failed, Stopped
from triadapt.runs.branch import BranchPlan, make_branch
from triadapt.runs.info import RunError, RunInfo
from triadapt.runs.library import Race, find, new_race
from triadapt.runs.reader import RunReader
from triadapt.runs.store import RunStore
from triadapt.workers.lockstep import Action
from triadapt.workers.sessions import OPEN_SESSIONS
from triadapt.workers.turns import Turns
from triadapt.workers.worker import WorkerProcess

MOST_FAILED_STARTS = 2
MOST_KNOWN_RACES = 4096
"""Of so many races, the newest, it is known who asked for them."""
CLOSED = Stopped(0, "the app was closed")


@dataclass
class _Job:
    race: str
    folders: list[Path]
    resume: bool
    steps: int
    visitor: str
    number: int
    yields: bool = False
    progress: dict[str, Any] = field(default_factory=dict)

    @property
    def run_ids(self) -> list[str]:
        return [folder.name for folder in self.folders]


class RunManager:
    """Runs races over the folder `runs`, one after another. Every method may be called from any thread.

    `visitor` says who asks, any text; those who give none are one visitor. `most` is how many races of theirs may wait.

    open_sessions: `module:function` that the worker opens sessions with; tests name a stand-in.
    """

    def __init__(self, runs: Path, *, open_sessions: str = OPEN_SESSIONS) -> None:
        self.runs = Path(runs)
        self._open_sessions = open_sessions
        self._changed = threading.Condition(threading.RLock())
        self._queue: list[_Job] = []  # in the order in which they are served
        self._turns = Turns()
        self._numbers = itertools.count()
        self._made_by: dict[str, str] = {}
        self._being_made: Counter[str] = Counter()  # races of each visitor whose folders are being written
        self._current: _Job | None = None
        self._failed_starts = 0
        self._message = ""
        self._shut = False
        with self._changed:  # so that no report comes before the worker has its place here
            self._worker = self._hire()
        atexit.register(self.shutdown)

    # -- what the user wants -------------------------------------------------------------------------------------

    def submit(
        self, configs: Sequence[RunConfig], name: str | None = None, *, visitor: str = "", most: int | None = None
    ) -> str:
        """Queue a new race. Returns its id. Raises RunError, OSError with nothing left behind."""
        steps = max((config.steps for config in configs), default=0)
        return self._make(lambda: new_race(self.runs, configs, name), False, steps, visitor, most)

    def resume(self, run_or_race_id: str, *, visitor: str = "", most: int | None = None) -> str:
        """Queue what ended early of a run or race, to go on from its newest checkpoints. Returns the race id.

        Raises RunError when there is nothing to resume.
        """
        infos = find(self.runs, run_or_race_id)
        with self._changed:
            self._check_open(visitor, most)
            busy = {run_id for job in self._jobs() for run_id in job.run_ids}
            ready = [info for info in infos if info.resumable and info.id not in busy]
            if not ready:
                states = ", ".join(f"{info.id} is {info.state}" for info in infos)
                raise RunError(f"nothing to resume: {states}")
            folders = [self.runs / info.id for info in ready]
            try:
                for folder in folders:
                    with RunStore.open(folder) as store:
                        store.set_state("queued")
            except BaseException:
                for folder in folders:
                    _end(folder, Stopped(0, "it could not be queued"))
                raise
            self._enqueue(ready[0].race, folders, True, max(info.steps for info in ready), visitor)
        return ready[0].race

    def branch(self, plan: BranchPlan, name: str | None = None, *, visitor: str = "", most: int | None = None) -> str:
        """Queue a run that goes on from another's checkpoint. Returns its race id. Raises RunError, OSError with
        nothing left behind."""
        return self._make(lambda: make_branch(self.runs, plan, name), True, plan.config.steps, visitor, most)

    def pause(self, race_id: str, *, yields: bool = False) -> bool:
        """Hold the race between two steps. Whether it is the race that runs; the same for the methods below.

        yields: hold only while no other race waits; what comes later lets it go on. For visitors who share the worker.
        """
        return self._hold(race_id, "pause", yields)

    def unpause(self, race_id: str) -> bool:
        """Go on after a pause."""
        return self._order(race_id, "unpause")

    def step(self, race_id: str, *, yields: bool = False) -> bool:
        """One step of every run, then hold."""
        return self._hold(race_id, "step", yields)

    def step_event(self, race_id: str, *, yields: bool = False) -> bool:
        """Go on until any run of the race has a rank event, then hold."""
        return self._hold(race_id, "step_event", yields)

    def stop(self, race_id: str) -> bool:
        """End the race with a checkpoint; it can be resumed. A race that waits leaves the queue."""
        with self._changed:
            waiting = [job for job in self._queue if job.race == race_id]
            for job in waiting:
                self._queue.remove(job)
                for folder in job.folders:
                    _end(folder, Stopped(0, "taken out of the queue"))
            self._queue = self._turns.order(self._queue)
            self._changed.notify_all()
        return self._order(race_id, "stop") or bool(waiting)

    # -- what can be seen ----------------------------------------------------------------------------------------

    def status(self, run_id: str) -> dict[str, Any]:
        """Live fields of a run: `state`, `position` (0 runs, 1 is next, None otherwise), `speed` in steps a second,
        `eta` in seconds, `message`. Raises RunError for a malformed or unknown id."""
        return self.status_of(find(self.runs, run_id)[0])

    def status_of(self, info: RunInfo) -> dict[str, Any]:
        """`status` of a run whose file was just read."""
        status: dict[str, Any] = {
            "state": info.state, "position": None, "speed": None, "eta": None, "message": info.error,
        }  # fmt: skip
        with self._changed:
            job = next((job for job in self._jobs() if info.id in job.run_ids), None)
            if job is None:
                if info.state in ("running", "paused") and self._is_ours(info):
                    status |= {"state": "failed", "message": self._message or "its end could not be written"}
                return status
            status["position"] = self._jobs().index(job) + (self._current is None)
            if job is not self._current:
                status["message"] = f"waiting, {status['position']} in the queue"
            elif info.live:
                status |= {key: job.progress.get(key) for key in ("speed", "message")}
                if status["speed"] and not job.progress.get("paused"):
                    status["eta"] = max(0, job.steps - job.progress["step"]) / status["speed"]
                if not job.progress:
                    status["message"] = "the worker is starting"
        return status

    def active(self) -> list[str]:
        """Race ids: the one that runs, then those that wait, in the order in which they are served."""
        with self._changed:
            return [job.race for job in self._jobs()]

    def made_by(self, race_id: str) -> str | None:
        """Who asked for the race; None for one that was not started since the server was, or long ago."""
        with self._changed:
            return self._made_by.get(race_id)

    def ready(self) -> bool:
        """Whether a worker is warm, so that a race starts without waiting for imports."""
        with self._changed:
            return self._worker.ready

    def wait(self, race_id: str, timeout: float | None = None) -> bool:
        """Block until the race neither runs nor waits. Whether that came true within `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: race_id not in self.active(), timeout)

    def shutdown(self, timeout: float = 15.0) -> None:
        """Stop the race that runs, with a checkpoint, take the others out of the queue, end the worker."""
        with self._changed:
            if self._shut:
                return
            self._shut = True
            waiting, self._queue = self._queue, []
            worker = self._worker
        atexit.unregister(self.shutdown)
        worker.close(timeout)
        for job in waiting:
            for folder in job.folders:
                _end(folder, CLOSED)

    # -- the worker ----------------------------------------------------------------------------------------------

    def _hire(self) -> WorkerProcess:
        return WorkerProcess(self._open_sessions, self._on_report, self._on_death)

    def _jobs(self) -> list[_Job]:
        return ([self._current] if self._current else []) + self._queue

    def _is_ours(self, info: RunInfo) -> bool:
        owner = RunReader(self.runs / info.id).owner()
        return owner is not None and owner.pid == self._worker.pid

    def _check_open(self, visitor: str, most: int | None) -> None:
        """Called with the lock held, so that what it says still holds when the race is queued."""
        if self._shut:
            raise RunError("the app is closing; nothing new is started")
        waiting = sum(job.visitor == visitor for job in self._queue) + self._being_made[visitor]
        if most is not None and waiting >= most:
            raise RunError(
                f"{waiting} races of yours wait, the most that may; wait until one starts or take one out with Stop"
            )

    def _make(self, make: Callable[[], Race], resume: bool, steps: int, visitor: str, most: int | None) -> str:
        """Write a race and queue it. The writing takes as long as the disk does and holds nobody up; the visitor's
        place is kept meanwhile. What is whole only when the app is closing ends as all that waits does."""
        with self._changed:
            self._check_open(visitor, most)
            self._being_made[visitor] += 1
        try:
            race = make()
        except BaseException:
            with self._changed:
                self._being_made -= Counter([visitor])  # which leaves no zeros behind
            raise
        with self._changed:
            self._being_made -= Counter([visitor])
            shut = self._shut
            if not shut:
                self._made_by[race.id] = visitor
                while len(self._made_by) > MOST_KNOWN_RACES:
                    del self._made_by[next(iter(self._made_by))]
                self._enqueue(race.id, race.folders, resume, steps, visitor)
        for folder in race.folders if shut else ():
            _end(folder, CLOSED)
        return race.id

    def _enqueue(self, race: str, folders: list[Path], resume: bool, steps: int, visitor: str) -> None:
        with self._changed:
            self._queue.append(_Job(race, folders, resume, steps, visitor, next(self._numbers)))
            self._queue = self._turns.order(self._queue)
            if not self._worker.alive:
                self._failed_starts = 0
                self._worker = self._hire()
            if self._current is not None and self._current.yields:
                self._current.yields = False
                self._worker.send({"order": "unpause", "race": self._current.race})
            self._dispatch()

    def _dispatch(self) -> None:
        """Give the next race to the worker if it is idle. Called with the lock held."""
        if self._shut or self._current is not None or not self._queue or not self._worker.ready:
            return
        self._current = job = self._queue.pop(0)
        self._turns.serve(job.visitor)
        self._worker.send(
            {"order": "race", "race": job.race, "folders": [str(f.absolute()) for f in job.folders],
             "resume": job.resume}
        )  # fmt: skip

    def _hold(self, race_id: str, action: Action, yields: bool) -> bool:
        with self._changed:
            if yields and self._queue:
                return False
            if held := self._order(race_id, action):
                assert self._current is not None
                self._current.yields = yields
            return held

    def _order(self, race_id: str, action: Action) -> bool:
        with self._changed:
            if self._current is None or self._current.race != race_id:
                return False
            return self._worker.send({"order": action, "race": race_id})

    def _on_report(self, worker: WorkerProcess, report: dict[str, Any]) -> None:
        with self._changed:
            job = self._current
            if report["report"] == "ready":
                self._failed_starts = 0
            elif job is not None and report["race"] == job.race:
                if report["report"] == "progress":
                    job.progress = report
                else:
                    self._message = report["error"]
                    if report["error"]:
                        for folder in job.folders:
                            _end(folder, Failed(0, report["error"]))
                    self._current = None
            self._dispatch()
            self._changed.notify_all()

    def _on_death(self, worker: WorkerProcess, how: str, last_lines: str) -> None:
        """The worker process is gone and was waited for."""
        with self._changed:
            if worker is not self._worker:
                return
            job, self._current = self._current, None
            if job is not None:
                for folder in job.folders:
                    _end(folder, Failed(0, how, last_lines))
            elif not self._shut:
                self._failed_starts += 1
            if not self._shut:
                self._recover(how, last_lines)
            self._changed.notify_all()

    def _recover(self, how: str, last_lines: str) -> None:
        if self._failed_starts < MOST_FAILED_STARTS:
            self._worker = self._hire()
            return
        self._message = f"the worker cannot start: {last_lines.strip().splitlines()[-1] if last_lines.strip() else how}"
        waiting, self._queue = self._queue, []
        for job in waiting:
            for folder in job.folders:
                _end(folder, Failed(0, self._message, last_lines))


def _end(folder: Path, event: Failed | Stopped) -> None:
    """Write the end of a run whose worker cannot, unless it has one already."""
    info = RunReader(folder).info()
    if info.state in ("finished", "stopped", "failed", "damaged"):
        return
    with suppress(RunError, sqlite3.Error, OSError), RunStore.open(folder) as store:
        store.append(type(event)(**{**event.__dict__, "step": max(0, store.last_step)}))
