"""The run folder that a training which is not ours is written into, from its first step to its end."""

from __future__ import annotations

import math
import os
import sqlite3
import time
import weakref
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import torch

from triadapt.events import Event, Finished, Step, Stopped, Warned
from triadapt.runs.store import RunStore

FLUSH_SECONDS = 0.25


class RecordedRun:
    """Writes a run folder. Losses wait a moment; on a GPU they are fetched together. Whatever becomes of this object,
    the run does not go on without it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._store = RunStore.open(folder)
        self._finalizer = weakref.finalize(self, _abandoned, self._store, os.getpid())
        self._waiting: list[tuple[int, torch.Tensor | float, float]] = []
        self._diverged = False
        self._flushed = time.monotonic()

    def begin(self, events: Iterable[Event]) -> None:
        """The first events; time runs from here."""
        self._store.set_state("running")
        for event in events:
            self._store.append(event)
        self._store.start_clock()
        self._flushed = time.monotonic()

    def lacks_loss_of(self, step: int) -> bool:
        """Whether nothing of this step is written or waits to be."""
        return self._store.last_step < step and not self._waiting

    def loss(self, step: int, value: torch.Tensor | float, learning_rate: float) -> None:
        """The loss of a step, written with the next flush."""
        self._waiting.append((step, value, learning_rate))

    def append(self, event: Event) -> None:
        """Write an event, after the losses that wait."""
        self.flush()
        self._store.append(event)

    def flush_now_and_then(self) -> None:
        """Flush if the last time is a while ago."""
        if time.monotonic() - self._flushed >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write the losses that wait; the first that is no number becomes a warning, and no such is written."""
        self._flushed = time.monotonic()
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        values = torch.stack(
            [torch.as_tensor(loss, dtype=torch.float32).reshape(()) for _, loss, _ in waiting]
        ).tolist()
        for (step, _, learning_rate), value in zip(waiting, values, strict=True):
            if math.isfinite(value):
                self._store.append(Step(step, value, learning_rate))
            elif not self._diverged:
                self._diverged = True
                self._store.append(Warned(step, "loss", f"the loss is {value}", "lower the learning rate"))

    def close(self) -> None:
        """Let go of the folder; how the run ended stands in it, or is about to be written."""
        self._finalizer.detach()
        with suppress(sqlite3.Error):
            self._store.close()

    def close_with(self, error: Exception, step: int) -> None:
        """The recording has failed at this step: try to write so, over a connection of its own."""
        self.close()
        with suppress(Exception), RunStore.open(self.folder) as again:  # a full disk: it is about to be said
            again.append(Stopped(step, f"the recording ended: {error}"))


def end_of(done: int, steps: int, metrics: Mapping[str, float], error: str) -> Event:
    """How a training ended after `done` of `steps` optimizer steps; `error`: by what, if not by itself."""
    last = max(0, done - 1)
    if error:
        return Stopped(last, error)
    if done >= steps:
        return Finished(last, dict(metrics))
    return Stopped(last, f"the training ended after {done} steps")


def _abandoned(store: RunStore, process: int) -> None:
    """End a run whose recorder is gone: the program has ended, or let go of it."""
    if os.getpid() == process:
        with suppress(sqlite3.Error):
            store.append(Stopped(max(0, store.last_step), "the program ended, or let go of the training"))
            store.close()
