"""The points of a study, each with what its seeds came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from triadapt.sweeps.points import TriedPoint, points_of
from triadapt.sweeps.record import Point, StudyRecord
from triadapt.sweeps.space import told
from triadapt.views.sweep.student import interval


@dataclass(frozen=True)
class PointRow:
    """One point. values: the metric of its complete trials, by seed. mean, low, high: over these, with a 95 % t
    interval; None where there is none, an interval from two different values on. broken: whether a seed failed or
    was pruned, so that the rest is a selection; standing: in words, as `2 of 3 seeds, 1 failed`. states: trials by
    state. parameters, seconds: means over the complete trials. runs: ids of all its runs, errors: lines of those that
    failed."""

    point: Point
    label: str
    values: dict[int, float]
    mean: float | None
    low: float | None
    high: float | None
    broken: bool
    standing: str
    states: dict[str, int]
    parameters: float | None
    seconds: float | None
    runs: tuple[str, ...]
    errors: tuple[str, ...]

    @property
    def counts(self) -> bool:
        """Whether the mean may stand for the point (`triadapt.sweeps.points`)."""
        return self.mean is not None and not self.broken

    @property
    def state(self) -> str:
        """The state of its trials in one word: failed or pruned if any is, complete if all are, otherwise what they are
        about to do."""
        order = ("failed", "pruned", "running", "interrupted", "waiting", "complete")
        return next(state for state in order if self.states.get(state))


def points_table(record: StudyRecord) -> tuple[PointRow, ...]:
    """Every point that is planned so far, in the order in which they were."""
    return tuple(_row(tried) for tried in points_of(record.trials))


def best_first(rows: Sequence[PointRow], *, higher_is_better: bool) -> list[PointRow]:
    """Rows by their mean, the best first; after all that count those that do not, and those without a mean last."""
    sign = -1 if higher_is_better else 1
    return sorted(rows, key=lambda row: (row.mean is None, not row.counts, sign * (row.mean or 0.0)))


def _row(tried: TriedPoint) -> PointRow:
    trials = tried.trials
    complete = [trial for trial in trials if trial.seed in tried.values]
    spread = interval(list(tried.values.values()))
    return PointRow(
        point=tried.point,
        label=told(tried.point),
        values=tried.values,
        mean=tried.mean,
        low=None if spread is None else spread[1],
        high=None if spread is None else spread[2],
        broken=tried.broken,
        standing=tried.standing,
        states=dict(Counter(trial.state for trial in trials)),
        parameters=_mean([trial.parameters for trial in complete if trial.parameters is not None]),
        seconds=_mean([trial.seconds for trial in complete]),
        runs=tuple(trial.run for trial in trials if trial.run),
        errors=tuple(trial.error for trial in trials if trial.error),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
