"""Real runs under the schedules that a replay guessed, and how far each guess was off."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from triadapt.config import ConfigError, RunConfig, parse_config
from triadapt.runs.info import RunInfo, Scalar
from triadapt.views.what_if.agreement import Agreement, agreement, per_event
from triadapt.views.what_if.changes import changed, may_change, value_of
from triadapt.views.what_if.comparison import WhatIf
from triadapt.views.what_if.recording import Recording

# How a run is made and recorded, not what it decides.
BESIDE = ("device", "threads", "eval_every", "scores_every", "geometry_every")


@dataclass(frozen=True)
class Check:
    """A stored run that does what a replay guesses. changes: what it does otherwise than the recorded one, as
    (before, after)."""

    info: RunInfo
    changes: dict[str, tuple[Scalar, Scalar]]


def checks_of(config: RunConfig, infos: Iterable[RunInfo]) -> list[Check]:
    """Those of the runs that differ from a run of this `config` in what can be replayed and in nothing else, seed
    included. A repetition without a change is none, and so is a run that goes on from another."""
    found = []
    for info in infos:
        if info.state == "damaged" or info.branched_from is not None:
            continue
        # Most runs differ in these, and need not be looked at more closely.
        if any(info.config.get(name) != getattr(config, name) for name in ("method", "task", "seed", "steps")):
            continue
        try:
            other = parse_config(info.config)
            again, changes = changed(config, {name: value_of(other, name) for name in may_change(config)})
        except ConfigError:
            continue
        if changes and _decisive(again) == _decisive(other):
            found.append(Check(info, changes))
    return found


def _decisive(config: RunConfig) -> dict[str, Any]:
    return {name: value for name, value in config.as_dict().items() if name not in BESIDE}


def judged(guess: WhatIf, truth: Recording) -> Agreement:
    """How far a replay agrees with the real run of its configuration."""
    return agreement(guess.recording.start, guess.final, truth.final, per_event(guess.replayed, truth.events))
