"""Whether a trial is worth its remaining steps."""

from __future__ import annotations

from collections.abc import Sequence

import optuna
from optuna.pruners import MedianPruner
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from triadapt.sweeps.record import TrialRecord

FEWEST_TRIALS = 5
PATIENCE = 3


def worth_going_on(trial: TrialRecord, trials: Sequence[TrialRecord], *, higher_is_better: bool) -> bool:
    """Whether the best evaluation of `trial` so far is no worse than the median of the others at the same step.

    The others are the complete trials with the same seed, at least `FEWEST_TRIALS`: a seed decides how hard the task
    is, so trials of different seeds say little about each other. Nothing is given up in the first third of the steps,
    for a long warm-up always looks bad early.
    """
    direction = StudyDirection.MAXIMIZE if higher_is_better else StudyDirection.MINIMIZE
    study = optuna.create_study(direction=direction)
    for other in trials:
        if other.seed == trial.seed and other.state == "complete" and other.value is not None:
            study.add_trial(create_trial(value=other.value, intermediate_values=dict(other.intermediate)))
    pruner = MedianPruner(FEWEST_TRIALS, trial.total_steps // PATIENCE, n_min_trials=FEWEST_TRIALS)
    running = create_trial(state=TrialState.RUNNING, intermediate_values=dict(trial.intermediate))
    return not pruner.prune(study, running)
