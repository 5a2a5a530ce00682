"""What the seeds of a point come to together: the one rule by which a point counts, or does not.

A point is *whole* once all of its seeds are complete. One whose seeds are still to come counts by those that are there,
and says how many these are. One with a seed that failed, diverged or was pruned is *broken*: what is left of its seeds
is a selection, the lucky ones. It is shown, marked, and counts nowhere: not in a mean over points, not as a better or a
worse one, and for the sampler as bad.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from triadapt.sweeps.record import Point, TrialRecord
from triadapt.sweeps.space import key


@dataclass(frozen=True)
class TriedPoint:
    """A point with its trials, one a seed, in the order in which they were planned; at least one."""

    trials: tuple[TrialRecord, ...]

    @property
    def point(self) -> Point:
        """The value of each swept field that its method uses."""
        return self.trials[0].point

    @cached_property
    def values(self) -> dict[int, float]:
        """The metric at the end, by seed, of the trials that are complete."""
        return {trial.seed: trial.value for trial in self.trials if trial.value is not None and _good(trial)}

    @property
    def mean(self) -> float | None:
        """Mean of `values`; None where there is none. Of a broken point it is that of a selection: see `counts`."""
        return math.fsum(self.values.values()) / len(self.values) if self.values else None

    @cached_property
    def lost(self) -> dict[str, int]:
        """How many of its seeds came to nothing, by how: `failed`, `pruned`."""
        bad = [trial.state for trial in self.trials if trial.ended and not _good(trial)]
        return dict(Counter("pruned" if state == "pruned" else "failed" for state in bad))

    @property
    def broken(self) -> bool:
        """Whether a seed came to nothing."""
        return bool(self.lost)

    @property
    def counts(self) -> bool:
        """Whether its mean may stand for the point."""
        return bool(self.values) and not self.broken

    @property
    def standing(self) -> str:
        """How many of its seeds are there, and what became of others: `3 seeds`, `2 of 3 seeds, 1 failed`."""
        n, planned = len(self.values), len(self.trials)
        whole = f"{planned} seed{'' if planned == 1 else 's'}"
        found = whole if n == planned else f"{n} of {whole}"
        return ", ".join([found, *(f"{count} {how}" for how, count in self.lost.items())])


def points_of(trials: Iterable[TrialRecord]) -> list[TriedPoint]:
    """The different points, in the order in which they were planned."""
    found: dict[str, list[TrialRecord]] = {}
    for trial in trials:
        found.setdefault(key(trial.point), []).append(trial)
    return [TriedPoint(tuple(of_point)) for of_point in found.values()]


def _good(trial: TrialRecord) -> bool:
    return trial.state == "complete" and trial.value is not None and math.isfinite(trial.value)
