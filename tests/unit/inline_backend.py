"""A backend without processes: runs are trained in threads that move only while `poll` lets them, a few steps each."""

from __future__ import annotations

import queue
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from sweep_sessions import open_sessions

from triadapt.sweeps.backends import Ended
from triadapt.workers.lockstep import Command, Lockstep, OpenSessions, Progress

PACE = 5


class _Training(threading.Thread):
    def __init__(self, folder: Path, resume: bool, sessions: OpenSessions) -> None:
        super().__init__(daemon=True)
        self.run_id = folder.name
        self.commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self.state = ""
        self._turn, self._moved = threading.Semaphore(0), threading.Semaphore(0)
        self._loop = Lockstep([folder], sessions, resume=resume, commands=self.commands, report=self._report)

    def run(self) -> None:
        self._turn.acquire()
        states = self._loop.run()
        self.state = states[self.run_id]
        self._moved.release()

    def _report(self, progress: Progress) -> None:
        if progress.step % PACE == 0 and not progress.message:
            self._moved.release()
            self._turn.acquire()

    def move(self) -> None:
        self._turn.release()
        self._moved.acquire()


class InlineBackend:
    """Trains `slots` runs side by side. lose: ids of runs that are lost when they are next polled, once for each time
    that they are in the list; `"*"` stands for any run. started: every start, as (run, resume)."""

    def __init__(self, slots: int = 2, sessions: OpenSessions = open_sessions) -> None:
        self.slots = slots
        self.sessions = sessions
        self.lose: list[str] = []
        self.started: list[tuple[str, bool]] = []
        self.closed = False
        self._trainings: dict[str, _Training] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closed = True
        for training in self._trainings.values():
            training.commands.put(Command("stop", "the backend was closed"))
            while not training.state:
                training.move()

    def free(self) -> int:
        return self.slots - len(self._trainings)

    def start(self, folder: Path, *, resume: bool) -> None:
        assert self.free() > 0
        self.started.append((folder.name, resume))
        training = _Training(folder, resume, self.sessions)
        training.start()
        self._trainings[folder.name] = training

    def stop(self, run: str, reason: str) -> None:
        if run in self._trainings:
            self._trainings[run].commands.put(Command("stop", reason))

    def poll(self, timeout: float) -> list[Ended]:
        ended = []
        for run, training in list(self._trainings.items()):
            training.move()
            mark = run if run in self.lose else "*"
            if mark in self.lose:
                self.lose.remove(mark)
                training.commands.put(Command("stop", "lost"))
                while not training.state:
                    training.move()
                ended.append(Ended(run, "lost", "its machine caught fire"))
                del self._trainings[run]
            elif training.state:
                ended.append(Ended(run, training.state))  # type: ignore[arg-type]
                del self._trainings[run]
        return ended
