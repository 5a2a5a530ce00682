"""Sessions without torch: a seeded walk of numbers, real events, checkpoints that hold a step number.

Runs behave by their note in `weight_decay`: see `TROUBLE`.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np

from triadapt.config import RunConfig
from triadapt.events import (
    Checkpointed,
    Evaluation,
    Event,
    Finished,
    Geometry,
    Matrix,
    RankEvent,
    Scores,
    Started,
    Step,
    Stopped,
)

MATRICES = 4
TROUBLE = {"raises at step 5": 0.125, "raises when opened": 0.25, "hangs at step 5": 0.5, "prints": 0.375}


class FakeSession:
    def __init__(self, config: RunConfig, folder: Path | None) -> None:
        self.config = config
        self.folder = folder
        self.step = 0
        self.done = False
        self._ranks = np.ones(MATRICES, np.uint16)

    def open(self, resume: bool = False, checkpoint_file: str | None = None) -> list[Event]:
        if self.config.weight_decay == TROUBLE["raises when opened"]:
            raise OSError("no such model")
        if resume:
            assert checkpoint_file is not None
            self._load(checkpoint_file)
            return []
        matrices = [Matrix(f"m{i}", i, "q", (8, 8), 2 if i == 0 else 0) for i in range(MATRICES)]
        spec = {"allocation": "grows", "core_kind": "triangular", "metric": "recovered", "higher_is_better": True}
        started = Started(
            step=0, config=self.config.as_dict(), matrices=matrices, method=self.config.method, task=self.config.task,
            total_step=self.config.steps, start_total_rank=MATRICES, target_total_rank=2 * MATRICES,
            trainable_parameters=64, planned=[], device="cpu", **spec,
        )  # fmt: skip
        return [started, Evaluation(0, {"recovered": 0.0, "loss": 1.0})]

    def measured(self) -> dict[str, float]:
        return {}

    def advance(self) -> list[Event]:
        step, self.step = self.step, self.step + 1
        if step == 5 and self.config.weight_decay == TROUBLE["raises at step 5"]:
            raise ValueError("loss is\nnot a number")
        if step == 5 and self.config.weight_decay == TROUBLE["hangs at step 5"]:
            threading.Event().wait()
        if self.config.weight_decay == TROUBLE["prints"]:
            print("a library speaks")
            os.system("echo so does a program")
        noise = np.random.default_rng((self.config.seed, step)).random(MATRICES).astype(np.float32)
        events: list[Event] = [Step(step, float(noise[0]), self.config.learning_rate), Scores(step, noise)]
        if step and step % self.config.interval == 0:
            before = self._ranks.copy()
            chosen = int(noise.argmax())
            self._ranks[chosen] += 1
            events.append(
                RankEvent(
                    step, "best", float(noise.max()), 1, [chosen], int(self._ranks.sum()), 64, 1024, noise,
                    self._ranks.copy(), before,
                )
            )  # fmt: skip
            events += [Evaluation(self.step, {"recovered": 0.1, "loss": 0.9}), self.checkpoint()]
        if self.step == self.config.steps:
            self.done = True
            metrics = {"recovered": 0.5, "loss": 0.25}
            singular = np.ones(int(self._ranks.sum()), np.float32)
            events += [Geometry(step, self._ranks.copy(), singular), Evaluation(step, metrics), Finished(step, metrics)]
        return events

    def checkpoint(self) -> Checkpointed:
        assert self.folder is not None
        name = f"step-{self.step - 1:06d}.json"
        (self.folder / "checkpoints").mkdir(exist_ok=True)
        (self.folder / "checkpoints" / name).write_text(" ".join(map(str, self._ranks)))
        return Checkpointed(self.step - 1, name)

    def _load(self, name: str) -> None:
        assert self.folder is not None
        path = self.folder / "checkpoints" / name
        self._ranks = np.array(path.read_text().split(), np.uint16)
        self.step = int(path.stem.removeprefix("step-")) + 1

    def stop(self, reason: str) -> list[Event]:
        self.done = True
        if self.step == 0:
            return [Stopped(0, reason)]
        return [self.checkpoint(), Stopped(self.step - 1, reason)]


def open_sessions(configs: list[RunConfig], folders: list[Path | None]) -> list[FakeSession]:
    return [FakeSession(config, folder) for config, folder in zip(configs, folders, strict=True)]


def cannot_start(configs: list[RunConfig], folders: list[Path | None]) -> list[FakeSession]:
    raise RuntimeError("no memory for the task")
