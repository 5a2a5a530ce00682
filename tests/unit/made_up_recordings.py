"""Recordings for the tests of replays, simulated without training: who scores what is drawn, the decisions are real."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triadapt.config import RunConfig, parse_config
from triadapt.events import Event, Matrix, RankEvent, Scores, Stamped, Started, Step
from triadapt.growth.decision import event_due, growth_decision, kept_units
from triadapt.growth.preview import pruning_schedule
from triadapt.growth.schedule import adalora_budget
from triadapt.views.what_if.recording import Recording, recording_of

SIDE = 6


def config_of(method: str, **values: Any) -> RunConfig:
    """A run of 60 steps with a score recorded at every fourth."""
    shared = {"steps": 60, "warmup": 6, "interval": 6, "scores_every": 4, "reference_rank": 3, "alpha": 6.0}
    return parse_config({**shared, **values, "method": method})


@dataclass
class MadeUp:
    """A run over `n` matrices. given_until and earlier: up to that step it follows another configuration, as a run that
    goes on from another does."""

    config: RunConfig
    n: int = 6
    seed: int = 0
    given_until: int = -1
    earlier: RunConfig | None = None
    events: list[Event] = field(default_factory=list)

    def recording(self) -> Recording:
        """What the run recorded."""
        self._start()
        (self._prune if self.config.method == "adalora" else self._grow)()
        return recording_of((Stamped(i, 0.0, event) for i, event in enumerate(self.events, 1)), self.given_until)

    def _start(self) -> None:
        rank = pruning_schedule(self.config).init_rank if self.config.method == "adalora" else 1
        self.events.append(
            Started(
                0, config=self.config.as_dict(),
                matrices=[Matrix(f"m{i}", i // 2, "qv"[i % 2], (SIDE, SIDE + 1), i % 3) for i in range(self.n)],
                method=self.config.method, task="planted", allocation="", core_kind="", metric="loss",
                higher_is_better=False, total_step=self.config.steps, start_total_rank=rank * self.n,
                target_total_rank=self.config.reference_rank * self.n, trainable_parameters=0, planned=[], device="cpu",
            )
        )  # fmt: skip

    def _in_force(self, step: int) -> RunConfig:
        return self.earlier if self.earlier is not None and step <= self.given_until else self.config

    def _grow(self) -> None:
        random, triadapt = np.random.default_rng(self.seed), self.config.method == "triadaptlora"
        ranks, previous = np.ones(self.n, np.uint16), np.ones(self.n, np.float32)
        value = previous.copy()
        for step in range(self.config.steps):
            self.events.append(Step(step, 1.0, 0.1))
            config = self._in_force(step)
            value = value + random.normal(0, 0.2, self.n).astype(np.float32)
            scores = value - previous if triadapt else np.abs(value)
            if not event_due(config, step, int(ranks.sum()), self.n):
                if step % config.scores_every == 0:
                    self.events.append(Scores(step, scores))
                continue
            decision = growth_decision(config, step=step, scores=scores, ranks=ranks, limits=[SIDE] * self.n)
            before, previous = ranks, value
            ranks = ranks.copy()
            for index, gain in decision.grants:
                ranks[index] += gain
            self._event(step, decision.threshold, decision.allowed, list(decision.chosen), before, ranks, scores)

    def _prune(self) -> None:
        random, schedule = np.random.default_rng(self.seed), pruning_schedule(self.config)
        owner = np.repeat(np.arange(self.n, dtype=np.uint16), schedule.init_rank)
        ranks = np.full(self.n, schedule.init_rank, np.uint16)
        masks = schedule.mask_steps()
        for step in range(self.config.steps):
            self.events.append(Step(step, 1.0, 0.1))
            units = random.random(len(owner)).astype(np.float32)
            if step not in masks:
                if step % self.config.scores_every == 0:
                    self.events.append(Scores(step, np.bincount(owner, units, self.n).astype(np.float32)))
                continue
            budget = adalora_budget(
                step, init_total=len(owner), target_total=self.config.reference_rank * self.n, tinit=schedule.tinit,
                tfinal=schedule.tfinal, total_step=schedule.total_step,
            )  # fmt: skip
            threshold, kept = kept_units(units, budget)
            before, ranks = ranks, np.bincount(owner[kept], minlength=self.n).astype(np.uint16)
            change = np.abs(ranks.astype(int) - before)
            chosen = [int(i) for i in np.argsort(-change, kind="stable") if change[i]]
            scores = np.bincount(owner[kept], units[kept], self.n).astype(np.float32)
            self._event(step, threshold, budget, chosen, before, ranks, scores, units, owner)

    def _event(
        self, step: int, threshold: float, allowed: int, chosen: list[int], before: NDArray[np.uint16],
        ranks: NDArray[np.uint16], scores: NDArray[np.float32], *units: Any,
    ) -> None:  # fmt: skip
        self.events.append(
            RankEvent(step, "test", threshold, allowed, chosen, int(ranks.sum()), 0, 0, scores, ranks, before, *units)
        )
