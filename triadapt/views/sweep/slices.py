"""Points of a study grouped for a chart: by the value of one field or two, each with the values of its seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triadapt.methods.registry import METHODS
from triadapt.runs.info import Scalar
from triadapt.sweeps.config import Range
from triadapt.sweeps.points import TriedPoint, points_of
from triadapt.sweeps.record import StudyRecord, TrialRecord
from triadapt.views.sweep.student import interval

FEW = 16
"""At most so many different values are an axis of steps; more of them are an axis of numbers."""
METHOD = "method"


def method_of(study: StudyRecord, trial: TrialRecord | TriedPoint) -> str:
    """The method of a trial or a point: swept, or that of the base."""
    return str(trial.point.get(METHOD, study.config.base.get(METHOD, "triadaptlora")))


def methods_of(study: StudyRecord) -> list[str]:
    """The methods of a study, in the order of the registry."""
    found = {method_of(study, trial) for trial in study.trials}
    return [name for name in METHODS if name in found]


def fields_of(study: StudyRecord) -> list[str]:
    """Swept fields but for the method, those that can be an axis."""
    return [name for name in study.fields if name != METHOD]


def scored(study: StudyRecord) -> list[TrialRecord]:
    """Trials that came to their end with a metric."""
    return scored_in(points_of(study.trials))


def scored_in(points: Iterable[TriedPoint]) -> list[TrialRecord]:
    """Those of these points, by number."""
    found = [trial for tried in points for trial in tried.trials if trial.seed in tried.values]
    return sorted(found, key=lambda trial: trial.number)


def values_of(study: StudyRecord, name: str) -> list[Scalar]:
    """The different values of a field among the trials and, where they are listed, of the configuration; numbers in
    order, words as listed."""
    listed = study.config.space.get(name, ())
    known = [*(() if isinstance(listed, Range) else listed)]
    known += [trial.point[name] for trial in study.trials if name in trial.point]
    unique = list(dict.fromkeys(known))
    return sorted(unique, key=float) if all(_is_number(value) for value in unique) else unique


def is_steps(study: StudyRecord, name: str) -> bool:
    """Whether an axis of the field has a place for every value, rather than being an axis of numbers."""
    values = values_of(study, name)
    listed = not isinstance(study.config.space.get(name), Range) or study.config.sampler == "grid"
    return not all(_is_number(value) for value in values) or (listed and len(values) <= FEW)


def is_log(study: StudyRecord, name: str) -> bool:
    """Whether the field was swept evenly in the logarithm, or its listed values rise by factors."""
    space = study.config.space.get(name)
    if isinstance(space, Range):
        return space.log
    values = [float(value) for value in values_of(study, name) if _is_number(value)]
    return len(values) > 2 and min(values) > 0 and max(values) / min(values) >= 30


def where(points: Iterable[TriedPoint], held: Mapping[str, Scalar]) -> list[TriedPoint]:
    """Points that have these values; one that does not know a field (its method does not use it) passes."""
    return [
        tried for tried in points if all(name not in tried.point or tried.point[name] == held[name] for name in held)
    ]


@dataclass(frozen=True)
class Place:
    """Points at one value of a field, those that count: with all seeds, or with some still to come. Where none does,
    the broken ones, and `counts` is false. by_seed: of each seed the mean over these points, so that what is compared
    rests on the same ones. low, high: 95 % interval of the mean over seeds, by Student's t; equal to the mean where no
    spread can be seen. standing: in words, what the mean rests on and what was left out of it."""

    at: Scalar
    by_seed: NDArray[np.float64]
    mean: float
    low: float
    high: float
    counts: bool
    standing: str


def along(points: Sequence[TriedPoint], name: str, order: Sequence[Scalar]) -> list[Place]:
    """Places along a field, in this order; values without a result are left out."""
    places = [place_of(at, [tried for tried in points if tried.point.get(name) == at]) for at in order]
    return [place for place in places if place is not None]


def place_of(at: Scalar, points: Sequence[TriedPoint]) -> Place | None:
    """What these points say together; None where none of them has a value."""
    counting = [tried for tried in points if tried.counts]
    used = counting or [tried for tried in points if tried.values]
    if not used:
        return None
    seeds = sorted({seed for tried in used for seed in tried.values})
    by_seed = np.array([np.mean([tried.values[seed] for tried in used if seed in tried.values]) for seed in seeds])
    mean = float(by_seed.mean())
    low, high = (interval(by_seed.tolist()) or (mean, mean, mean))[1:]
    return Place(at, by_seed, mean, low, high, bool(counting), _standing(used, points))


def _standing(used: Sequence[TriedPoint], points: Sequence[TriedPoint]) -> str:
    if len(points) == 1:
        return points[0].standing
    broken = sum(tried.broken for tried in points)
    words = f"{len(used)} point{'' if len(used) == 1 else 's'}"
    if not broken:
        return words
    lost = "with a failed or pruned seed"
    return f"{words}, each {lost}" if used[0].broken else f"{words}; {broken} left out, {lost}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
