"""How much each field of a study matters, by Optuna's PED-ANOVA (arXiv 2304.10255)."""

from __future__ import annotations

import warnings

import optuna

from triadapt.sweeps.record import StudyRecord, TrialRecord
from triadapt.sweeps.storage import stored_as

FEWEST = 8
"""Finished trials below which nothing is said."""


def field_shares(study: StudyRecord) -> dict[str, float]:
    """Share of each swept field, sum 1; empty while too few trials have ended, or none differs from another.

    How far a field's values among the best tenth of the trials differ from those among all of them: a local question,
    asked where the metric is good.
    """
    trials = [trial for trial in study.trials if trial.state == "complete" and trial.value is not None]
    if len(trials) < FEWEST or len({trial.value for trial in trials}) < 2:
        return {}
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is experimental in Optuna
            copy = optuna.create_study(direction="maximize" if study.info.higher_is_better else "minimize")
            copy.add_trials([_copied(study, trial) for trial in trials])
            shares = optuna.importance.get_param_importances(copy)
    except (ValueError, RuntimeError):
        return {}
    finally:
        optuna.logging.set_verbosity(verbosity)
    return {name: float(share) for name, share in shares.items()} if sum(shares.values()) > 0 else {}


def _copied(study: StudyRecord, trial: TrialRecord) -> optuna.trial.FrozenTrial:
    known = stored_as(study.config.space)
    used = {name: known[name] for name in trial.point if name in known}
    return optuna.trial.create_trial(
        params={name: trial.point[name] for name in used}, distributions=used, value=trial.value
    )
