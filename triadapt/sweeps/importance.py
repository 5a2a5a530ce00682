"""Which of the swept fields matter, by PED-ANOVA (arXiv 2304.10255) as Optuna has it."""

from __future__ import annotations

from collections.abc import Mapping

import optuna
from optuna.distributions import BaseDistribution
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.study import StudyDirection

from triadapt.sweeps.points import points_of
from triadapt.sweeps.record import Point, StudyRecord
from triadapt.sweeps.sampling import fits
from triadapt.sweeps.storage import sampled_as

FEWEST_POINTS = 10
BEST_SHARE = 0.1
FEWEST_BEST = 4


def importances(record: StudyRecord) -> dict[str, float]:
    """Share of each field, largest first, summing to 1: how differently the best points are spread along it than all
    points are. The best are a tenth, at least `FEWEST_BEST`, by the mean over their seeds.

    Empty below `FEWEST_POINTS` points that count (`triadapt.sweeps.points`). Fields with one value count for nothing,
    and points whose method does not use a field are left out. Says nothing on how sure it is: with few points the
    shares are rough.
    """
    config = record.config
    kinds = {name: kind for name, kind in sampled_as(config.space).items() if not kind.single()}
    judged = [(tried.point, tried.mean) for tried in points_of(record.trials) if tried.counts]
    found = [(point, value) for point, value in judged if value is not None and _has_all(record, point, kinds)]
    if len(found) < FEWEST_POINTS or not kinds:
        return {}
    direction = StudyDirection.MAXIMIZE if record.info.higher_is_better else StudyDirection.MINIMIZE
    study = optuna.create_study(direction=direction)
    for point, value in found:
        params = {name: point[name] for name in kinds}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=kinds, value=value))
    share = max(BEST_SHARE, min(0.5, FEWEST_BEST / len(found)))
    evaluator = PedAnovaImportanceEvaluator(target_quantile=share)
    return dict(get_param_importances(study, evaluator=evaluator))


def _has_all(record: StudyRecord, point: Point, kinds: Mapping[str, BaseDistribution]) -> bool:
    return all(name in point and fits(record.config, name, point) for name in kinds)
