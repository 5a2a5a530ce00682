"""The stand-in sessions, judged as the planted task is and slow enough for a node to die under them."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

from fake_sessions import FakeSession

from triadapt.config import RunConfig
from triadapt.events import Evaluation, Event, Finished, Started

STEP_SECONDS = 0.06
METRIC = {"relative loss": 0.5, "loss": 0.25}


class SlowSession(FakeSession):
    def open(self, resume: bool = False, checkpoint_file: str | None = None) -> list[Event]:
        return [_judged(event) for event in super().open(resume, checkpoint_file)]

    def measured(self) -> dict[str, float]:
        return {}

    def advance(self) -> list[Event]:
        threading.Event().wait(STEP_SECONDS)
        return [_judged(event) for event in super().advance()]


def _judged(event: Event) -> Event:
    if isinstance(event, Started):
        return replace(event, metric="relative loss", higher_is_better=False)
    if isinstance(event, Evaluation | Finished):
        return replace(event, metrics=METRIC)
    return event


def open_sessions(configs: list[RunConfig], folders: list[Path | None]) -> list[FakeSession]:
    return [SlowSession(config, folder) for config, folder in zip(configs, folders, strict=True)]
