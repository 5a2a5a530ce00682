"""Which points a study tries next, where they are not those of a grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import optuna
from optuna.samplers import TPESampler
from optuna.trial import TrialState

from triadapt.runs.info import Scalar
from triadapt.sweeps.config import Range, SweepConfig, Values
from triadapt.sweeps.record import Point, StudyError, TrialRecord
from triadapt.sweeps.space import draw, every_point, key, rounded, valid
from triadapt.sweeps.storage import sampled_as

STARTUP = 10
ASKED = 50
DRAWN = 10_000


def new_points(
    config: SweepConfig, trials: Sequence[TrialRecord], count: int, *, higher_is_better: bool
) -> list[Point]:
    """`count` points that no trial has, each of which a run can be made of. The same for equal studies.

    random: at random. tpe: by Optuna's tree-structured Parzen estimator over the mean of each point's seeds; the first
    third, at most `STARTUP`, at random. Raises StudyError when none is found.
    """
    known = {key(trial.point) for trial in trials}
    found: list[Point] = []
    for _ in range(count):
        chance = np.random.default_rng([config.seed_list[0], len(known)])
        point = None
        if config.sampler == "tpe":
            point = _suggested(config, trials, known, int(chance.integers(2**31)), higher_is_better=higher_is_better)
        point = point or _drawn(config, known, chance)
        known.add(key(point))
        found.append(point)
    return found


def _drawn(config: SweepConfig, known: set[str], chance: np.random.Generator) -> Point:
    for _ in range(DRAWN):
        point = valid(config, draw(config, chance))
        if point is not None and key(point) not in known:
            return point
    # Few are left, or few are valid: look through all of them.
    listed = [valid(config, point) for point in every_point(config) or []]
    left = [point for point in listed if point is not None and key(point) not in known]
    if not left:
        raise StudyError(f"no further point of the space was found in {DRAWN} draws; lower points, or widen the space")
    return left[int(chance.integers(len(left)))]


def _suggested(
    config: SweepConfig, trials: Sequence[TrialRecord], known: set[str], seed: int, *, higher_is_better: bool
) -> Point | None:
    """A new point by what is known so far. The estimator works on a copy in memory, so that suggestions that are not
    taken leave no trace in the study.

    A point counts once, by its mean. One that came to no value counts as pruned: where its trials were, by how far the
    first came; where any failed, as worse than all others. One under way keeps others from its neighbourhood.
    """
    assert config.points is not None
    kinds = sampled_as(config.space)
    sampler = TPESampler(seed=seed, n_startup_trials=min(STARTUP, math.ceil(config.points / 3)))
    direction = optuna.study.StudyDirection.MAXIMIZE if higher_is_better else optuna.study.StudyDirection.MINIMIZE
    study = optuna.create_study(direction=direction, sampler=sampler)
    for of_point in by_point(trials):
        tried = of_point[0].point
        here = {name: kinds[name] for name in tried if name in kinds and fits(config, name, tried)}
        params = {name: tried[name] for name in here}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=here, **_outcome(of_point)))
    for _ in range(ASKED):
        asked = study.ask(kinds)
        point = valid(config, {name: _tidy(config.space[name], asked.params[name]) for name in config.space})
        if point is not None and key(point) not in known:
            return point
        study.tell(asked, state=TrialState.FAIL)
    return None


def _tidy(values: Values, value: Scalar) -> Scalar:
    """A suggestion as a table shows it; what lies on a step stays there."""
    if isinstance(values, Range) and values.step is None and not isinstance(value, str):
        return rounded(values, value)
    return value


def by_point(trials: Sequence[TrialRecord]) -> list[list[TrialRecord]]:
    """The trials of each point, in the order in which the points were planned."""
    found: dict[str, list[TrialRecord]] = {}
    for trial in trials:
        found.setdefault(key(trial.point), []).append(trial)
    return list(found.values())


def mean(of_point: Sequence[TrialRecord]) -> float | None:
    """Mean over the seeds that are complete; None where none is."""
    values = [trial.value for trial in of_point if trial.state == "complete" and trial.value is not None]
    return sum(values) / len(values) if values else None


def _outcome(of_point: Sequence[TrialRecord]) -> dict[str, Any]:
    """What came of a point, as a trial of Optuna's has it."""
    value = mean(of_point)
    if value is not None:
        return {"value": value}
    if not all(trial.ended for trial in of_point):
        return {"state": TrialState.RUNNING}
    failed = any(trial.state == "failed" for trial in of_point)
    return {"state": TrialState.PRUNED, "intermediate_values": {} if failed else dict(of_point[0].intermediate)}


def fits(config: SweepConfig, name: str, point: Point) -> bool:
    """Whether a point's value is one of the space as it is now; a space may have been narrowed since."""
    values = config.space[name]
    value = point[name]
    if not isinstance(values, Range):
        return value in values
    return not isinstance(value, str) and values.low <= value <= values.high
