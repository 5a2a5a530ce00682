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
from triadapt.sweeps.points import TriedPoint, points_of
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

    A point counts once: by its mean over the seeds that are through, as long as none of them came to nothing. Where a
    seed failed or diverged it counts as worse than all others, whatever the rest came to; where one was pruned, as
    worse than all with a value, by how far the first of these came. One without a value yet keeps others from its
    neighbourhood.
    """
    assert config.points is not None
    kinds = sampled_as(config.space)
    sampler = TPESampler(seed=seed, n_startup_trials=min(STARTUP, math.ceil(config.points / 3)))
    direction = optuna.study.StudyDirection.MAXIMIZE if higher_is_better else optuna.study.StudyDirection.MINIMIZE
    study = optuna.create_study(direction=direction, sampler=sampler)
    for tried in points_of(trials):
        point = tried.point
        here = {name: kinds[name] for name in point if name in kinds and fits(config, name, point)}
        params = {name: point[name] for name in here}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=here, **_outcome(tried)))
    for _ in range(ASKED):
        asked = study.ask(kinds)
        found = valid(config, {name: _tidy(config.space[name], asked.params[name]) for name in config.space})
        if found is not None and key(found) not in known:
            return found
        study.tell(asked, state=TrialState.FAIL)
    return None


def _tidy(values: Values, value: Scalar) -> Scalar:
    """A suggestion as a table shows it, on a step where there are steps."""
    if not isinstance(values, Range) or isinstance(value, str):
        return value
    listed = values.values() if values.step is not None else None
    return rounded(values, value) if listed is None else min(listed, key=lambda known: abs(known - value))


def _outcome(tried: TriedPoint) -> dict[str, Any]:
    """What came of a point, as a trial of Optuna's has it. Of FAIL the estimator would learn nothing, and try the same
    corner again; PRUNED without an evaluation is to it worse than all that came further."""
    if tried.broken:
        pruned = next((trial for trial in tried.trials if trial.state == "pruned"), None)
        known = {} if "failed" in tried.lost or pruned is None else dict(pruned.intermediate)
        return {"state": TrialState.PRUNED, "intermediate_values": known}
    return {"state": TrialState.RUNNING} if tried.mean is None else {"value": tried.mean}


def fits(config: SweepConfig, name: str, point: Point) -> bool:
    """Whether a point's value is one of the space as it is now; a space may have been narrowed since."""
    values = config.space[name]
    value = point[name]
    if not isinstance(values, Range):
        return value in values
    return not isinstance(value, str) and values.low <= value <= values.high
