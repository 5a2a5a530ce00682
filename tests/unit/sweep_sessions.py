"""Stand-in sessions for studies: judged as the planted task is, at once, and better the nearer a point is to the best.

A point's metric is that of `quality`, with a little chance that depends on the seed and the point. A run with
`weight_decay` `RAISES` fails at step 5, one with `NAN` comes to no number. While there is a file `HANG_FILE` among the
runs, those with seeds from `HELD_SEED` on wait for ever at step 12.
"""

from __future__ import annotations

import math
import threading
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from fake_sessions import TROUBLE, FakeSession

from triadapt.config import RunConfig
from triadapt.events import Evaluation, Event, Finished, Started

RAISES = TROUBLE["raises at step 5"]
NAN = 0.0625
HELD_SEED = 8
HANG_FILE = "hang"


def quality(config: RunConfig) -> float:
    """The metric without chance: lowest at a warm-up of 4 and the shortest interval."""
    return 0.3 + 0.02 * abs(config.warmup - 4) + 0.01 * config.interval


class SweepSession(FakeSession):
    def open(self, resume: bool = False, checkpoint_file: str | None = None) -> list[Event]:
        return self._judged(super().open(resume, checkpoint_file))

    def measured(self) -> dict[str, float]:
        return {}

    def advance(self) -> list[Event]:
        if self.step == 12 and self.folder is not None and self.config.seed >= HELD_SEED:
            if (self.folder.parent / HANG_FILE).exists():
                threading.Event().wait()
        return self._judged(super().advance())

    def _judged(self, events: list[Event]) -> list[Event]:
        return [self._as_planted(event) for event in events]

    def _as_planted(self, event: Event) -> Event:
        if isinstance(event, Started):
            return replace(event, metric="relative loss", higher_is_better=False)
        if isinstance(event, Evaluation | Finished):
            value = self._metric(min(1.0, (event.step + 1) / self.config.steps))
            return replace(event, metrics={"relative loss": value, "loss": value})
        return event

    def _metric(self, done: float) -> float:
        config = self.config
        if config.weight_decay == NAN and done > 0.1:
            return math.nan
        point = zlib.crc32(f"{config.method} {config.warmup} {config.interval}".encode())
        common = float(np.random.default_rng(config.seed).normal(0, 0.05))
        own = float(np.random.default_rng((config.seed, point)).normal(0, 0.001))
        return 1 - done * (1 - quality(config) - common - own)


def open_sessions(configs: list[RunConfig], folders: list[Path | None]) -> list[SweepSession]:
    return [SweepSession(config, folder) for config, folder in zip(configs, folders, strict=True)]
