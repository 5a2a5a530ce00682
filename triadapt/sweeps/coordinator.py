"""The one process that runs a study: it keeps trials going, reads what they come to, and writes it down.

Everything that is to be done stands in the study's files, and everything that was done is written before the next
thing begins. So this process can be killed at any moment: the next one takes up what it finds.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from triadapt.config import ConfigError
from triadapt.runs.info import RunError
from triadapt.sweeps.backends import Backend, BackendError, Ended, open_backend
from triadapt.sweeps.library import runs_of
from triadapt.sweeps.pruning import worth_going_on
from triadapt.sweeps.record import Point, StudyError, StudyInfo, StudyRecord, TrialRecord
from triadapt.sweeps.sampling import new_points
from triadapt.sweeps.space import plan
from triadapt.sweeps.state import (
    CONFIG_FILE,
    give_order,
    read_config,
    read_info,
    read_order,
    sole_coordinator,
    write_info,
)
from triadapt.sweeps.storage import WRITING
from triadapt.sweeps.study import StudyTrials
from triadapt.sweeps.trial_runs import RunWatch, is_number, make_run, new_run_id, runs_elsewhere
from triadapt.views.sweep.recommendation import recommend
from triadapt.workers.sessions import OPEN_SESSIONS

MOST_ATTEMPTS = 3
POLL_SECONDS = 0.25
STATE_SECONDS = 1.0

# Why a run was asked to stop. held: to go on later.
Why = Literal["", "held", "pruned", "failed"]


@dataclass
class _Running:
    number: int
    watch: RunWatch
    why: Why = ""
    error: str = ""


@dataclass
class Coordinator:
    """Runs the study in `folder` until it is over, stopped, or nothing can be trained.

    backend: who trains; by default the one that the configuration asks for. open_sessions: `module:function` that
    runs are opened with. on_change: called with the study as it stands, at most a few times a second.
    """

    folder: Path
    open_sessions: str = OPEN_SESSIONS
    backend: Backend | None = None
    on_change: Callable[[StudyRecord], None] = lambda record: None
    _stopping: str = field(default="", init=False)

    def stop(self, reason: str) -> None:
        """Ask for the end, from a signal or another thread: running trials stop with checkpoints."""
        self._stopping = reason

    def run(self) -> StudyInfo:
        """Run to the end. Returns how the study then stands: finished, stopped or failed.

        Raises StudyError when it runs elsewhere or cannot be read; ConfigError when its configuration is not valid.
        """
        with sole_coordinator(self.folder):
            self._info = read_info(self.folder)
            if self._info.state == "damaged":
                raise StudyError(f"{self.folder.name} is damaged: {self._info.message}")
            self._read_config()
            give_order(self.folder, "go")
            self._since = time.monotonic() - self._info.seconds
            self._written = 0.0
            self._judged: list[int] = []
            self._clear = False
            self._running: dict[str, _Running] = {}
            with StudyTrials(self.folder) as self._trials:
                self._held = deque(record.number for record in self._trials.records if record.state == "running")
                self._set("running", "")
                try:
                    self._plan()
                    with self.backend or open_backend(self._config, self.open_sessions) as self._backend:
                        self._set(*self._work())
                        # Who changes the study writes first and then asks whether it is over (`change_study`).
                        while self._info.state == "finished" and self._changed():
                            self._set("running", "")
                            self._set(*self._work())
                except BackendError as error:
                    self._set("failed", str(error))
                except WRITING as error:
                    raise StudyError(f"{self.folder.name}: its trials cannot be written: {error}") from error
                except BaseException as error:
                    line = " ".join(str(error).split())
                    self._set("stopped", f"ended by {type(error).__name__}" + (f": {line}" if line else ""))
                    raise
        return self._info

    def _work(self) -> tuple[str, str]:
        """The loop. Returns the state at its end, and what there is to say about it."""
        while True:
            order = "stop" if self._stopping else read_order(self.folder)
            clear = order == "go" and self._is_clear()
            if order == "go" and not clear:
                self._take_up_changes()
                self._start_trials()
            else:
                self._hold(self._stopping or ("the study was paused" if order == "pause" else "the study was ended"))
            if not self._running:
                if order == "stop":
                    return "stopped", self._stopping or "stopped by the user"
                if clear:
                    return "finished", "ended early: one point is clearly the best"
                if order == "go" and not self._anything_left():
                    return "finished", ""
            for ended in self._backend.poll(POLL_SECONDS):
                self._settle(ended)
            self._watch()
            self._say("paused" if order == "pause" and not self._running else "running")

    # -- what is to be done --------------------------------------------------------------------------------------

    def _plan(self) -> None:
        """Add the trials that the configuration asks for and that are not there yet."""
        planned = plan(self._config)
        points = list(planned.points) if planned.points is not None else self._trials.points()
        if self._config.sampler == "random":
            points += self._new_points(planned.count - len(points))
        # Seed by seed: early on there is something to see of every point.
        for seed in self._config.seed_list:
            for point in points:
                self._trials.add(self._config, point, seed)
        count = planned.count * len(self._config.seed_list)
        self._info = replace(self._info, points=planned.count, trials=max(count, len(self._trials.records)))

    def _new_points(self, count: int) -> list[Point]:
        better = self._info.higher_is_better
        return new_points(self._config, self._trials.records, max(0, count), higher_is_better=better)

    def _read_config(self) -> None:
        self._read_at = self._config_time()  # before it is read: what is written meanwhile is a change
        self._config = read_config(self.folder)

    def _config_time(self) -> int:
        return (self.folder / CONFIG_FILE).stat().st_mtime_ns

    def _changed(self) -> bool:
        return self._config_time() != self._read_at

    def _take_up_changes(self) -> None:
        if self._changed():
            self._read_config()
            self._plan()

    def _start_trials(self) -> None:
        while self._backend.free() > 0:
            record = self._next()
            if record is None:
                return
            self._start(record)

    def _next(self) -> TrialRecord | None:
        """A trial to begin or to go on with."""
        for number in list(self._held):
            # A worker of a coordinator that was killed may still be writing its checkpoint.
            held = self._trials.records[number]
            if not (held.run and runs_elsewhere(runs_of(self.folder) / held.run)):
                self._held.remove(number)
                return held
        record = self._trials.begin()
        if record is None and self._points_to_come():
            (point,) = self._new_points(1)
            for seed in self._config.seed_list:
                self._trials.add(self._config, point, seed)
            record = self._trials.begin()
        return record

    def _points_to_come(self) -> bool:
        return self._config.sampler == "tpe" and len(self._trials.points()) < self._info.points

    def _anything_left(self) -> bool:
        waiting = any(record.state == "waiting" for record in self._trials.records)
        return waiting or bool(self._held) or self._points_to_come()

    def _start(self, record: TrialRecord) -> None:
        runs = runs_of(self.folder)
        try:
            if not record.run:
                record = self._trials.note(record.number, run=new_run_id(runs, self._config, record), attempts=1)
            new = not (runs / record.run).exists()
            folder = make_run(runs, self.folder.name, self._config, record) if new else runs / record.run
        except (RunError, ConfigError) as error:
            self._trials.fail(record.number, str(error))
            return
        watch = RunWatch(folder, self._info.metric, self._info.higher_is_better)
        info = watch.info()
        self._trials.note(record.number, total_steps=info.steps)
        self._running[record.run] = _Running(record.number, watch)
        if info.state in ("finished", "failed", "damaged"):
            # It ended while nobody was there to write it down.
            self._settle(Ended(record.run, "finished" if info.state == "finished" else "failed", info.error))
        else:
            self._backend.start(folder, resume=not new)

    # -- what became of it ---------------------------------------------------------------------------------------

    def _watch(self) -> None:
        for run, running in list(self._running.items()):
            if self._read(running) and not running.why and self._config.prune:
                record = self._trials.records[running.number]
                better = self._info.higher_is_better
                if not worth_going_on(record, self._trials.records, higher_is_better=better):
                    running.why = "pruned"
                    self._backend.stop(run, f"pruned: below the median of the trials with seed {record.seed}")
            if running.error and running.why != "failed":
                running.why = "failed"
                self._backend.stop(run, running.error)

    def _read(self, running: _Running) -> bool:
        """Take over new evaluations. Whether there were any."""
        try:
            news = running.watch.news()
        except ValueError as error:
            running.error = running.error or " ".join(str(error).split())
            return False
        for step, value in news:
            self._trials.report(running.number, step, value)
            if not is_number(value):
                running.error = running.error or f"diverged: {self._info.metric} is {value} after {step} steps"
        return bool(news)

    def _settle(self, ended: Ended) -> None:
        running = self._running.pop(ended.run, None)
        if running is None:
            return
        number = running.number
        self._read(running)
        info = running.watch.info()
        with suppress(RunError):
            self._trials.note(number, parameters=running.watch.parameters())
        self._trials.note(number, steps=info.last_step + 1, seconds=round(info.seconds, 3))
        if running.error:
            self._trials.fail(number, running.error)
        elif ended.outcome == "finished" or info.state == "finished":
            if info.metric_value is None or not is_number(info.metric_value):
                self._trials.fail(number, f"diverged: {self._info.metric} is {info.metric_value} at the end")
            else:
                self._trials.complete(number, info.metric_value)
        elif ended.outcome == "failed":
            self._trials.fail(number, info.error or ended.error or "failed without a reason")
        elif running.why == "pruned":
            self._trials.prune(number)
        elif running.why == "held":
            self._held.append(number)
        else:
            self._try_again(number, ended.error or "its run was stopped by somebody else")

    def _try_again(self, number: int, error: str) -> None:
        attempts = self._trials.records[number].attempts
        if attempts >= MOST_ATTEMPTS:
            self._trials.fail(number, f"given up after {attempts} attempts: {error}")
            return
        self._trials.note(number, attempts=attempts + 1)
        self._held.appendleft(number)

    def _hold(self, reason: str) -> None:
        for run, running in self._running.items():
            if not running.why:
                running.why = "held"
                self._backend.stop(run, reason)

    def _is_clear(self) -> bool:
        if not self._config.stop_when_clear:
            return False
        ended = [record.number for record in self._trials.records if record.ended]
        if self._judged != ended:
            self._judged, self._clear = ended, recommend(self._record()).clear
        return self._clear

    # -- what is said --------------------------------------------------------------------------------------------

    def _record(self) -> StudyRecord:
        return StudyRecord(self._info, self._config, tuple(self._trials.records))

    def _set(self, state: str, message: str) -> None:
        self._written = 0.0
        self._say(state, message)

    def _say(self, state: str, message: str = "") -> None:
        counts = dict(Counter(record.state for record in self._trials.records))
        before = self._info
        self._info = replace(before, state=state, message=message, counts=counts, seconds=before.seconds)
        now = time.monotonic()
        if self._info != before or now - self._written >= STATE_SECONDS:
            self._written = now
            self._info = replace(self._info, seconds=round(now - self._since, 3))
            write_info(self.folder, self._info, time.time())
        self.on_change(self._record())
