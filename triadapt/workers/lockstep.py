"""The loop that runs a race: every run makes step t before any makes step t + 1.

A worker process and the command line use it alike. Commands come through a queue and are obeyed between two steps.
"""

from __future__ import annotations

import queue
import sqlite3
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from triadapt.config import RunConfig
from triadapt.events import Checkpointed, Evaluation, Event, Failed, Finished, RankEvent, Stopped, Warned, decided
from triadapt.pretrained.notes import told_to
from triadapt.runs.library import config_of
from triadapt.runs.reader import RunReader
from triadapt.runs.store import RunStore

Action = Literal["pause", "unpause", "step", "step_event", "stop"]
SPEED_SECONDS = 3.0
CHECKPOINTS = "checkpoints"


class TrainingSession(Protocol):
    """What the loop needs of a session; `triadapt.training.session.Session` is one."""

    @property
    def done(self) -> bool: ...
    @property
    def step(self) -> int: ...
    def open(self, resume: bool = False, checkpoint_file: str | None = None) -> list[Event]: ...
    def advance(self) -> list[Event]: ...
    def stop(self, reason: str) -> list[Event]: ...
    def measured(self) -> dict[str, float]: ...


OpenSessions = Callable[[list[RunConfig], list[Path | None]], Sequence[TrainingSession]]


@dataclass(frozen=True)
class Command:
    """What the user wants of the race that runs."""

    action: Action
    reason: str = "stopped by the user"


@dataclass(frozen=True)
class Progress:
    """Where a race is. step: steps that every unfinished run has done. speed: lockstep steps a second of late."""

    step: int
    steps: int
    speed: float | None
    paused: bool
    message: str = ""


@dataclass
class _Member:
    store: RunStore
    config: RunConfig
    session: TrainingSession | None = None
    opened: bool = False
    state: str = "running"

    @property
    def active(self) -> bool:
        return self.state == "running"


@dataclass
class Lockstep:
    """One race, from opening its run folders to the end of every run.

    folders: run folders in state queued, or with `resume` any that ended early. open_sessions: makes the sessions of
    all configurations, sharing what can be shared. report: called after every step; must be quick and not raise.
    on_event: called with the run's index and each event.
    """

    folders: list[Path]
    open_sessions: OpenSessions
    resume: bool = False
    commands: queue.SimpleQueue[Command] = field(default_factory=queue.SimpleQueue)
    report: Callable[[Progress], None] = lambda progress: None
    on_event: Callable[[int, Event], None] = lambda index, event: None

    def run(self) -> dict[str, str]:
        """Run to the end. Returns the state of each run by id: finished, stopped or failed.

        An error in one run ends that run only. Raises RunError when a folder is no run or runs elsewhere.
        """
        self._mode: Action = "unpause"
        self._reason = ""
        self._paused = False
        self._laps: deque[float] = deque()
        self._waiting: deque[Command] = deque()
        self._members: list[_Member] = []
        try:
            for folder in self.folders:
                config = config_of(RunReader(folder).info())
                self._members.append(_Member(RunStore.open(folder), config))
            for member in self._members:
                member.store.set_state("running")
            self._open()
            self._loop()
        except KeyboardInterrupt:
            # In the middle of a step: no checkpoint of a half-made state, a resume takes the one before.
            self._close_all("interrupted")
        except BaseException:
            self._close_all("the process ended")
            raise
        finally:
            for member in self._members:
                with suppress(sqlite3.Error):
                    member.store.close()
        return {member.store.folder.name: member.state for member in self._members}

    @property
    def _active(self) -> list[_Member]:
        return [member for member in self._members if member.active]

    def _open(self) -> None:
        if self._stopping():
            return
        self.report(Progress(0, self._steps, None, False, "preparing the task"))
        try:
            with told_to(lambda text: self.report(Progress(0, self._steps, None, False, text))):
                sessions = self.open_sessions(
                    [member.config for member in self._members], [member.store.folder for member in self._members]
                )
        except Exception as error:
            for member in self._members:
                self._fail(member, error)
            return
        for member, session in zip(self._members, sessions, strict=True):
            member.session = session
            if self._stopping():
                return
            self.report(Progress(0, self._steps, None, False, f"preparing {member.config.method}"))
            try:
                self._open_one(member, session)
                member.opened = True
                self._check_done(member)
            except Exception as error:
                self._fail(member, error)

    def _open_one(self, member: _Member, session: TrainingSession) -> None:
        unreadable: list[Warned] = []
        for seq, event in _recorded_checkpoints(member.store.folder) if self.resume else []:
            try:
                events = session.open(resume=True, checkpoint_file=event.file)
            except ValueError as error:
                line = f"checkpoint {event.file} cannot be used: {' '.join(str(error).split())}"
                unreadable.append(Warned(event.step, "checkpoint", line, "an older one was taken"))
                continue
            member.store.rewind(seq)
            self._take(member, [*unreadable, *events])
            return
        if self.resume:
            if RunReader(member.store.folder).info().branched_from is not None:
                # What came before the branch was trained with another configuration: this one cannot start over.
                raise ValueError(unreadable[0].message if unreadable else "the checkpoint it branched from is gone")
            member.store.rewind(0)
        self._take(member, [*session.open(), *unreadable])

    def _loop(self) -> None:
        for member in self._active:
            member.store.start_clock()
        while self._active:
            if self._obey():
                self._stop_all()
                return
            if not self._active:  # none could be written any more
                return
            # After a resume the runs may stand at different steps: those behind go first, until all are level.
            now = min(self._step_of(member) for member in self._active)
            grew = False
            for member in self._active:
                if self._step_of(member) != now:
                    continue
                if self._stopping():
                    self._stop_all()
                    return
                grew |= self._advance(member)
            self._laps.append(time.monotonic())
            if self._mode == "step" or (self._mode == "step_event" and grew):
                self._mode = "pause"
            self._report(now + 1)

    def _advance(self, member: _Member) -> bool:
        """One step of one run. Whether it had a rank event; a measurement of dW is none."""
        assert member.session is not None
        try:
            events = member.session.advance()
            if any(isinstance(event, Evaluation) for event in events):
                member.store.set_measured(member.session.measured())
            self._take(member, events)
            self._check_done(member)
        except Exception as error:
            self._fail(member, error)
            return False
        return any(isinstance(event, RankEvent) and decided(event) for event in events)

    def _obey(self) -> bool:
        """Take the commands that wait; while paused, wait for more. Whether to stop."""
        while True:
            self._set_paused(self._mode == "pause")
            self._receive(block=self._paused and not self._waiting and bool(self._active))
            if not self._waiting:
                return False
            command = self._waiting.popleft()
            if command.action == "stop":
                self._reason = command.reason
                return True
            self._mode = command.action

    def _stopping(self) -> bool:
        """Whether a command to stop waits. It and those before it are left to `_obey`."""
        self._receive(block=False)
        return any(command.action == "stop" for command in self._waiting)

    def _receive(self, *, block: bool) -> None:
        with suppress(queue.Empty):
            while True:
                self._waiting.append(self.commands.get(block=block))
                block = False

    def _set_paused(self, paused: bool) -> None:
        if paused == self._paused:
            return
        self._paused = paused
        self._laps.clear()
        for member in self._active:
            try:
                member.store.set_state("paused" if paused else "running")
            except sqlite3.Error as error:
                self._fail(member, error)
                continue
            if not paused:
                member.store.start_clock()
        if paused:
            self._report(min((self._step_of(member) for member in self._active), default=0))

    def _stop_all(self) -> None:
        for member in self._active:
            try:
                if member.session is not None and member.opened:
                    self._take(member, member.session.stop(self._reason))
                if member.active:
                    self._take(member, [Stopped(max(0, member.store.last_step), self._reason)])
            except Exception as error:
                self._fail(member, error)

    def _close_all(self, reason: str) -> None:
        for member in self._active:
            step = max(0, member.store.last_step)
            with suppress(sqlite3.Error):
                self._take(member, [Stopped(step, reason)])

    def _take(self, member: _Member, events: list[Event]) -> None:
        index = self._members.index(member)
        for event in events:
            member.store.append(event)
            if isinstance(event, Finished):
                member.state = "finished"
            elif isinstance(event, Stopped):
                member.state = "stopped"
            self.on_event(index, event)

    def _check_done(self, member: _Member) -> None:
        """A run resumed from a checkpoint of its last step is done without a `Finished` of its own."""
        if member.active and member.session is not None and member.session.done:
            member.state = "finished"
            member.store.set_state("finished")

    def _fail(self, member: _Member, error: Exception) -> None:
        event = Failed(max(0, member.store.last_step), _in_a_line(error), "".join(traceback.format_exception(error)))
        member.state = "failed"
        with suppress(sqlite3.Error):  # a full disk is often why it failed
            member.store.append(event)
        self.on_event(self._members.index(member), event)

    @property
    def _steps(self) -> int:
        return max(member.config.steps for member in self._members)

    def _step_of(self, member: _Member) -> int:
        return 0 if member.session is None else member.session.step

    def _report(self, step: int) -> None:
        while self._laps and self._laps[-1] - self._laps[0] > SPEED_SECONDS:
            self._laps.popleft()
        span = self._laps[-1] - self._laps[0] if len(self._laps) > 1 else 0.0
        speed = (len(self._laps) - 1) / span if span > 0 else None
        self.report(Progress(step, self._steps, speed, self._paused))


def _recorded_checkpoints(folder: Path) -> list[tuple[int, Checkpointed]]:
    """Checkpoints that can be resumed from, newest first, each with the sequence number of its event.

    A file without an event is left alone: a process can be killed between writing the one and committing the other, and
    a run resumed from there would lack the events of its last steps.
    """
    events = [(stamped.seq, stamped.event) for stamped in RunReader(folder).events()]
    return [
        (seq, event)
        for seq, event in reversed(events)
        if isinstance(event, Checkpointed) and (folder / CHECKPOINTS / event.file).is_file()
    ]


def _in_a_line(error: Exception) -> str:
    """What went wrong. An error of this package says it in words of its own; another's needs the name of its class."""
    kind, text = type(error), " ".join(str(error).split())
    if not text:
        return kind.__name__
    return text if kind.__module__.startswith("triadapt.") else f"{kind.__name__}: {text}"
