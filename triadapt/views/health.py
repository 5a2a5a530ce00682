"""Is it adapting at all? What a run's own events say against it, each with what to change.

Fed event by event, so that a live page pays for new events only.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean, pstdev

import numpy as np
from numpy.typing import NDArray

from triadapt.events import MEASURED, SAVED, Event, Finished, Geometry, Matrix, RankEvent, Started, Step, Warned

LEARNT_BY = 20
"""Steps after which an adapter that has learnt anything is no longer 0."""
AROUND, BEFORE = 5, 20
SPIKE = 4.0
NAMED = 3


@dataclass(frozen=True)
class Finding:
    """Something wrong. step: where it was seen. message: what, with its numbers. advice: what to change."""

    code: str
    step: int
    message: str
    advice: str


class Health:
    """The findings of one run so far. `add` its events in order; `findings` may be asked at any time."""

    def __init__(self) -> None:
        self._started: Started | None = None
        self._steps: list[int] = []
        self._losses: list[float] = []
        self._diverged_at: int | None = None
        self._events: list[RankEvent] = []
        self._judged = 0
        self._rises: list[tuple[int, float]] = []
        self._moved: NDArray[np.bool_] | None = None
        self._geometry: Geometry | None = None
        self._finished: int | None = None
        self._told: set[str] = set()
        self._saved = False

    def add(self, events: Iterable[Event]) -> None:
        """Take in what is new."""
        for event in events:
            if isinstance(event, Step):
                if self._diverged_at is None and not math.isfinite(event.loss):
                    self._diverged_at = len(self._losses)
                self._steps.append(event.step)
                self._losses.append(event.loss)
            elif isinstance(event, RankEvent) and event.rule == SAVED:
                self._saved = True
            elif isinstance(event, RankEvent) and event.rule == MEASURED:
                pass  # nobody decided anything
            elif isinstance(event, RankEvent):
                self._events.append(event)
                changed = event.ranks != event.before
                self._moved = changed if self._moved is None else self._moved | changed
            elif isinstance(event, Geometry):
                self._geometry = event
            elif isinstance(event, Started):
                self._started = event
            elif isinstance(event, Finished):
                self._finished = event.step
            elif isinstance(event, Warned):
                self._told.add(event.code)  # of the schedule or the budget: not again

    def findings(self) -> list[Finding]:
        """What speaks against the run, at most one of a kind."""
        # An adapter by itself tells nothing of how it was trained.
        if self._started is None or (self._saved and not self._steps):
            return []
        checks = (
            self._diverged(), self._never_fired(), self._never_changed(), self._target_missed(), self._equal_scores(),
            self._dead(self._started.matrices), self._spikes(),
        )  # fmt: skip
        return [finding for finding in checks if finding is not None]

    def _diverged(self) -> Finding | None:
        bad = self._diverged_at
        if bad is None:
            return None
        return Finding("diverged", self._steps[bad], f"The training loss is {self._losses[bad]}.",
                       "Lower `learning_rate` or `alpha`.")  # fmt: skip

    def _never_fired(self) -> Finding | None:
        assert self._started is not None
        if self._events or self._finished is None or "schedule" in self._told:
            return None
        allocation, planned = self._started.allocation, self._started.planned
        if allocation == "fixed" or (allocation == "freezes" and not planned):  # to freeze nothing is a choice
            return None
        return Finding("never_fired", self._finished, "No rank event fired: the ranks are those of the start.",
                       "Lower `warmup` and `interval` until events lie between warm-up and end.")  # fmt: skip

    def _never_changed(self) -> Finding | None:
        if not self._events or self._moved is None or self._moved.any():
            return None
        assert self._started is not None
        grows = self._started.allocation == "grows"
        last = self._events[-1]
        count = len(self._events)
        what = "A rank event fired and changed" if count == 1 else f"{count} rank events fired and changed"
        return Finding("never_changed", last.step, f"{what} no rank.",
                       f"{'Raise' if grows else 'Lower'} `reference_rank`.")  # fmt: skip

    def _target_missed(self) -> Finding | None:
        assert self._started is not None
        if self._finished is None or not self._events or self._told & {"schedule", "budget"}:
            return None
        total, target = self._events[-1].total_rank, self._started.target_total_rank
        grows = self._started.allocation == "grows"
        if not target:  # of a training from elsewhere it may not be known
            return None
        if (total >= target) if grows else (total <= target):
            return None
        advice = "Lower `warmup` or `interval`" + (", or raise `add_r` or `top_h`." if grows else ".")
        return Finding("target_missed", self._finished, f"The run ended at total rank {total}, its target is {target}.",
                       advice)  # fmt: skip

    def _equal_scores(self) -> Finding | None:
        equal = [event for event in self._events if len(event.scores) > 1 and np.ptp(event.scores) == 0]
        if not equal:
            return None
        times = "once" if len(equal) == 1 else f"at {len(equal)} of {len(self._events)} events"
        return Finding("equal_scores", equal[-1].step, f"All importances were equal {times}: who grew was chance.",
                       "Lengthen `interval` or `warmup`, so that there is something to tell matrices apart "
                       "by.")  # fmt: skip

    def _dead(self, matrices: list[Matrix]) -> Finding | None:
        geometry = self._geometry
        if geometry is None or geometry.step < LEARNT_BY:
            return None
        largest = [part.max() if len(part) else None
                   for part in np.split(geometry.singular, np.cumsum(geometry.ranks)[:-1])]  # fmt: skip
        dead = [f"L{m.layer}.{m.module}" for m, top in zip(matrices, largest, strict=False) if top == 0]
        if not dead:
            return None
        return Finding("dead", geometry.step, f"dW is exactly 0 in {_some(dead)} of {len(matrices)} matrices: "
                       "no gradient reaches them.",
                       "Check that they are on the way from input to loss, or leave them out.")  # fmt: skip

    def _spikes(self) -> Finding | None:
        last = self._steps[-1] if self._steps else -1
        while self._judged < len(self._events) and self._events[self._judged].step + AROUND <= last:
            event = self._events[self._judged]
            self._judged += 1
            if (rise := self._rise_after(event.step)) is not None:
                self._rises.append((event.step, rise))
        rises = self._rises
        if not rises:
            return None
        step, rise = max(rises, key=lambda one: one[1])
        times = "one rank event" if len(rises) == 1 else f"{len(rises)} of {len(self._events)} rank events"
        return Finding("spikes", step, f"The loss jumped after {times}, most at step {step} (by {rise:.0%}).",
                       self._against_jumps())  # fmt: skip

    def _rise_after(self, step: int) -> float | None:
        """By how much the loss jumped after `step`, as a share; None where it did not, or not every step around is
        known: a recording may hold one step of many."""
        at = bisect_right(self._steps, step)
        window = slice(at - BEFORE, at + AROUND)
        if at < BEFORE or self._steps[window] != list(range(step + 1 - BEFORE, step + 1 + AROUND)):
            return None
        before, after = self._losses[at - BEFORE : at], self._losses[at : at + AROUND]
        level = fmean(before[-AROUND:])
        if not all(map(math.isfinite, [*before, *after])) or level <= 0:
            return None
        return fmean(after) / level - 1 if fmean(after) > level + SPIKE * pstdev(before) else None

    def _against_jumps(self) -> str:
        """What can be changed, leaving out what stands at its gentlest already."""
        assert self._started is not None
        config = self._started.config
        own = config.get("triadaptlora") or {}
        gentle = {"init": "identity", "scale": "constant"}
        ways = [
            f"choose {best} for `triadaptlora.{name}`" for name, best in gentle.items() if own.get(name, best) != best
        ]
        lower = ["`add_r`"] if self._started.allocation == "grows" and config.get("add_r", 1) > 1 else []
        return "; ".join([f"Lower {' or '.join([*lower, '`learning_rate`'])}", *ways]) + "."


def _some(names: list[str]) -> str:
    """`3 (L0.q, L0.k and L1.v)`."""
    shown = names[:NAMED]
    listed = shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
    return f"{len(names)} ({listed}{', ...' if len(names) > NAMED else ''})"


def findings(events: Iterable[Event]) -> list[Finding]:
    """`Health.findings` of a whole run."""
    health = Health()
    health.add(events)
    return health.findings()
