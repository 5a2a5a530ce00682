"""Which points a study tries next, where they are not those of a grid."""

from __future__ import annotations

import math
from collections.abc import Sequence

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
    taken leave no trace in the study."""
    assert config.points is not None
    kinds = sampled_as(config.space)
    sampler = TPESampler(seed=seed, n_startup_trials=min(STARTUP, math.ceil(config.points / 3)))
    direction = optuna.study.StudyDirection.MAXIMIZE if higher_is_better else optuna.study.StudyDirection.MINIMIZE
    study = optuna.create_study(direction=direction, sampler=sampler)
    for tried, value in means(trials):
        here = {name: kinds[name] for name in tried if name in kinds and fits(config, name, tried)}
        params = {name: tried[name] for name in here}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=here, value=value))
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


def means(trials: Sequence[TrialRecord]) -> list[tuple[Point, float]]:
    """Each point that has a value, with the mean over its seeds."""
    found: dict[str, tuple[Point, list[float]]] = {}
    for trial in trials:
        if trial.state == "complete" and trial.value is not None:
            found.setdefault(key(trial.point), (trial.point, []))[1].append(trial.value)
    return [(point, sum(values) / len(values)) for point, values in found.values()]


def fits(config: SweepConfig, name: str, point: Point) -> bool:
    """Whether a point's value is one of the space as it is now; a space may have been narrowed since."""
    values = config.space[name]
    value = point[name]
    if not isinstance(values, Range):
        return value in values
    return not isinstance(value, str) and values.low <= value <= values.high
