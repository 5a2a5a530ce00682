"""The decisions of a recorded run, taken again under another schedule on the scores it recorded.

The decisions are those of training (`growth/decision.py`); the scores are not those that training would have had, for a
matrix that grows differently scores differently from then on. That is why a replay is a guess, to first order.

- TriAdaptLoRA: the scores are counted from the events of the replay, and corrected for rank (`norms.py`).
- IncreLoRA: the scores as recorded. It stops scoring once its budget is reached; what a replay decides after that
  rests on the last ones.
- AdaLoRA: the scores of the triplets at the recorded event nearest before, or the first one. From its mask on a triplet
  hardly learns, so one that the recording had pruned and the replay still holds has the score of when it was last held.
  What a replay prunes and the recording held may come back in the replay; in training it hardly ever does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from triadapt.config import RunConfig
from triadapt.growth.decision import event_due, growth_decision, kept_units
from triadapt.growth.preview import pruning_schedule
from triadapt.growth.schedule import adalora_budget, event_steps
from triadapt.methods.registry import METHODS
from triadapt.runs.info import RunError
from triadapt.views.what_if.norms import norms_of
from triadapt.views.what_if.recording import Allocation, Ranks, Recording


def replay(recording: Recording, config: RunConfig, *, corrected: bool = True) -> tuple[Allocation, ...]:
    """The rank events of the recorded run under another `config` (`changes.changed` makes it), as far as scores are
    recorded. Under its own they are the recorded ones, exactly. corrected: False takes scores as they were recorded.

    Raises RunError with one line where they cannot be replayed.
    """
    if METHODS[config.method].allocation == "prunes":
        return tuple(_pruned(recording, config, corrected))
    return tuple(_grown(recording, config, corrected))


def _given(recording: Recording) -> list[Allocation]:
    return [event for event in recording.events if event.step <= recording.given_until]


def _grown(recording: Recording, config: RunConfig, corrected: bool) -> list[Allocation]:
    n = len(recording.matrices)
    norms = norms_of(recording) if corrected and config.method == "triadaptlora" else None
    found = _given(recording)
    ranks, blocks = recording.start, np.ones(n, np.int64)
    previous = norms.before[0] if norms else None
    for event in found:
        blocks, ranks = blocks + (event.ranks > ranks), event.ranks
        previous = norms.values[recording.record_at(event.step)] if norms else None
    for step in event_steps(init_warmup=config.warmup, interval=config.interval, total_step=config.steps):
        if step <= recording.given_until:
            continue
        if step > recording.last_step or not event_due(config, step, int(ranks.sum()), n):
            break
        record = recording.record_at(step)
        scores = recording.scores[record]
        if norms is not None and previous is not None:
            scores = norms.scores(record, ranks, blocks, previous)
            previous = norms.at(record, ranks, blocks)
        decision = growth_decision(
            config, step=step, scores=scores, ranks=ranks.astype(np.uint16), limits=recording.limits
        )
        gains = np.zeros(n, np.int64)
        for index, gain in decision.grants:
            gains[index] = gain
        ranks, blocks = ranks + gains, blocks + (gains > 0)
        age = step - int(recording.steps[record])
        found.append(Allocation(step, decision.threshold, decision.allowed, decision.chosen, ranks, age))
    return found


def _pruned(recording: Recording, config: RunConfig, corrected: bool) -> list[Allocation]:
    schedule, n = pruning_schedule(config), len(recording.matrices)
    found = _given(recording)
    held = found[-1].ranks if found else recording.start
    steps = [step for step in schedule.mask_steps() if recording.given_until < step <= recording.last_step]
    if steps and not recording.unit_scores:
        raise RunError("it had no rank event, and the scores of AdaLoRA's triplets are recorded at rank events alone")
    scored, held_units = np.array(recording.unit_scores), _held_units(recording)
    ours = held_units[len(found)] if found else np.ones(len(recording.unit_matrix), bool)
    for step in steps:
        at = max(0, int(np.searchsorted(recording.unit_steps, step, side="right")) - 1)
        budget = adalora_budget(
            step,
            init_total=schedule.init_rank * n,
            target_total=config.reference_rank * n,
            tinit=schedule.tinit,
            tfinal=schedule.tfinal,
            total_step=schedule.total_step,
        )
        scores = scored[at].copy()
        for unit in np.flatnonzero(ours & ~held_units[at]) if corrected else ():
            scores[unit] = scored[np.flatnonzero(held_units[: at + 1, unit])[-1], unit]
        threshold, ours = kept_units(scores, budget)
        ranks = np.bincount(recording.unit_matrix[ours], minlength=n)
        age = step - int(recording.unit_steps[at])
        found.append(Allocation(step, threshold, budget, _moved(held, ranks), ranks, age))
        held = ranks
    return found


def _held_units(recording: Recording) -> NDArray[np.bool_]:
    """Which of the `u` units the recording held when it scored them at each of its `e` events, and at the end:
    `(e + 1, u)`."""
    held = [np.ones(len(recording.unit_matrix), bool)]
    for scores, event in zip(recording.unit_scores, recording.events, strict=True):
        held.append(kept_units(scores, event.allowed)[1])
    return np.array(held)


def _moved(before: Ranks, after: Ranks) -> tuple[int, ...]:
    """The matrices whose rank changed, the largest change first, as AdaLoRA's events name them."""
    change = np.abs(after - before)
    return tuple(int(index) for index in np.argsort(-change, kind="stable") if change[index])
