"""The points of a study, each with what its seeds came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from triadapt.sweeps.record import Point, StudyRecord, TrialRecord
from triadapt.sweeps.space import key, told
from triadapt.views.sweep.student import interval


@dataclass(frozen=True)
class PointRow:
    """One point. values: the metric of its complete trials, by seed. mean, low, high: over these, with a 95 % t
    interval; None where there is none, an interval from two different values on. states: trials by state. parameters,
    seconds: means over the complete trials. runs: ids of all its runs, errors: lines of those that failed."""

    point: Point
    label: str
    values: dict[int, float]
    mean: float | None
    low: float | None
    high: float | None
    states: dict[str, int]
    parameters: float | None
    seconds: float | None
    runs: tuple[str, ...]
    errors: tuple[str, ...]

    @property
    def state(self) -> str:
        """The state of its trials in one word: failed or pruned if any is, complete if all are, otherwise what they are
        about to do."""
        order = ("failed", "pruned", "running", "interrupted", "waiting", "complete")
        return next(state for state in order if self.states.get(state))


def points_table(record: StudyRecord) -> tuple[PointRow, ...]:
    """Every point that is planned so far, in the order in which they were."""
    groups: dict[str, list[TrialRecord]] = {}
    for trial in record.trials:
        groups.setdefault(key(trial.point), []).append(trial)
    return tuple(_row(trials) for trials in groups.values())


def best_first(rows: Sequence[PointRow], *, higher_is_better: bool) -> list[PointRow]:
    """Rows by their mean, the best first and those without one last."""
    sign = -1 if higher_is_better else 1
    return sorted(rows, key=lambda row: (row.mean is None, sign * (row.mean or 0.0)))


def _row(trials: list[TrialRecord]) -> PointRow:
    complete = [trial for trial in trials if trial.state == "complete"]
    values = {trial.seed: trial.value for trial in complete if trial.value is not None}
    spread = interval(list(values.values()))
    sizes = [trial.parameters for trial in complete if trial.parameters is not None]
    return PointRow(
        point=trials[0].point,
        label=told(trials[0].point),
        values=values,
        mean=_mean(list(values.values())),
        low=None if spread is None else spread[1],
        high=None if spread is None else spread[2],
        states=dict(Counter(trial.state for trial in trials)),
        parameters=_mean(sizes),
        seconds=_mean([trial.seconds for trial in complete]),
        runs=tuple(trial.run for trial in trials if trial.run),
        errors=tuple(trial.error for trial in trials if trial.error),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
