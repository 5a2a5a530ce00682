"""Trials of a study grouped for a chart: by the value of one field or two, each with the values of its seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triadapt.methods.registry import METHODS
from triadapt.runs.info import Scalar
from triadapt.sweeps.config import Range
from triadapt.sweeps.record import StudyRecord, TrialRecord
from triadapt.views.sweep.student import quantile

FEW = 16
"""At most so many different values are an axis of steps; more of them are an axis of numbers."""
METHOD = "method"


def method_of(study: StudyRecord, trial: TrialRecord) -> str:
    """The method of a trial: swept, or that of the base."""
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
    return [trial for trial in study.trials if trial.state == "complete" and trial.value is not None]


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


def where(trials: Sequence[TrialRecord], held: Mapping[str, Scalar]) -> list[TrialRecord]:
    """Trials whose points have these values; a point that does not know a field (its method does not use it) passes."""
    return [
        trial for trial in trials if all(name not in trial.point or trial.point[name] == held[name] for name in held)
    ]


@dataclass(frozen=True)
class Place:
    """Trials at one value of a field. values: the metric of each. by_seed: of each seed the mean over whatever else
    was swept, so that what is compared rests on the same points. low, high: 95 % interval of the mean over seeds, by
    Student's t; equal to the mean with one seed."""

    at: Scalar
    trials: tuple[TrialRecord, ...]
    values: NDArray[np.float64]
    by_seed: NDArray[np.float64]
    mean: float
    low: float
    high: float


def along(trials: Sequence[TrialRecord], name: str, order: Sequence[Scalar]) -> list[Place]:
    """Places along a field, in this order; values without a trial are left out."""
    return [
        place_of(at, found) for at in order if (found := [trial for trial in trials if trial.point.get(name) == at])
    ]


def place_of(at: Scalar, trials: Sequence[TrialRecord]) -> Place:
    """What these trials say together."""
    values = np.array([trial.value for trial in trials], float)
    ordered = sorted(zip((trial.seed for trial in trials), values, strict=True), key=lambda pair: pair[0])
    by_seed = np.array([np.mean([value for _, value in own]) for _, own in groupby(ordered, key=lambda pair: pair[0])])
    half = half_width(by_seed)
    mean = float(by_seed.mean())
    return Place(at, tuple(trials), values, by_seed, mean, mean - half, mean + half)


def half_width(values: NDArray[np.float64]) -> float:
    """Half of the 95 % interval of a mean; 0 where one value allows none."""
    if len(values) < 2:
        return 0.0
    return float(quantile(0.05, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
