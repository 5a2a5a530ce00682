"""train(config): a generator of events, for notebooks, tests and whoever wants a run without a store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from triadapt.config import RunConfig
from triadapt.events import Event
from triadapt.tasks.interface import Task
from triadapt.training.session import Session


def train(config: RunConfig, *, folder: Path | None = None, task: Task | None = None) -> Iterator[Event]:
    """Train one run and yield its events, `Started` first and `Finished` last.

    With a `folder`, checkpoints are written to `folder/checkpoints` at every rank event. task: that of
    the configuration, where it is built already. Raises ValueError or
    TrainingError, naming the field to change, when the run cannot start or go on.
    """
    session = Session(config, folder=folder, task=task)
    yield from session.open()
    while not session.done:
        yield from session.advance()
