"""Names of a run's scalars in a log: those that AdaLoRA's and IncreLoRA's authors use, where they log such a number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from triadapt.events import MEASURED, Baseline, Evaluation, Event, Matrix, RankEvent, Scores, Stamped, Started, Step

RANK = "Ranknum/"
EFFECTIVE = "Effective_rank/"
"""Of a matrix without a rank of its own, as it was measured. No other tool reads it as a rank that was allotted."""
IMPORTANCE = "Importance/"
TOTAL = "Budget/total_rank"
PARAMETERS = "Budget/sum_param"
ALLOWED = "Budget/allowed"
THRESHOLDS = {"grows": "Budget/increase_threshold", "prunes": "Budget/mask_threshold"}
LOSS, LEARNING_RATE = "train/loss", "train/learning_rate"
EVALUATION, BASELINE = "eval/", "baseline/"
METHOD, METRIC, CONFIGURATION = "triadapt/method", "triadapt/metric", "triadapt/configuration"
"""Texts: which method a log is of, which of its metrics counts, and its configuration as TOML."""


def scalars_of(rows: Iterable[Stamped]) -> Iterator[tuple[Stamped, dict[str, float]]]:
    """Each event that has numbers, with these by tag. The ranks at the start stand at step 0, unless they are changed
    there. Numbers that were not recorded are left out."""
    started: Stamped | None = None
    matrices: list[Matrix] = []
    allocation = ""
    waiting: Stamped | None = None
    for row in rows:
        event = row.event
        if isinstance(event, Started):
            matrices, allocation, waiting = event.matrices, event.allocation, row
            started = row
            if not event.allotted:
                waiting = None  # nothing is measured yet
        elif isinstance(event, RankEvent):
            if event.rule == MEASURED:
                waiting = None
                yield row, _measured(event, matrices)
                continue
            if waiting is not None and event.step > 0:
                yield waiting, _ranks(matrices, event.before)
            waiting = None
            yield row, _of_decision(event, matrices, allocation)
        else:
            found = _of_event(event, matrices)
            if found:
                yield row, found
    if waiting is not None and started is not None and matrices:
        assert isinstance(started.event, Started)
        even = started.event.start_total_rank // len(matrices)
        yield waiting, _ranks(matrices, np.full(len(matrices), even))


def _ranks(matrices: list[Matrix], ranks: Iterable[int]) -> dict[str, float]:
    named = {f"{RANK}{matrix.name}": float(rank) for matrix, rank in zip(matrices, ranks, strict=True)}
    return named | {TOTAL: sum(named.values())}


def _measured(event: RankEvent, matrices: list[Matrix]) -> dict[str, float]:
    named = {f"{EFFECTIVE}{matrix.name}": float(rank) for matrix, rank in zip(matrices, event.ranks, strict=True)}
    return named | ({PARAMETERS: float(event.trainable_parameters)} if event.trainable_parameters else {})


def _of_decision(event: RankEvent, matrices: list[Matrix], allocation: str) -> dict[str, float]:
    found = _ranks(matrices, event.ranks)
    if allocation in THRESHOLDS and np.isfinite(event.threshold):
        found[THRESHOLDS[allocation]] = event.threshold
    for tag, count in ((PARAMETERS, event.trainable_parameters), (ALLOWED, event.allowed)):
        if count:
            found[tag] = float(count)
    if len(event.scores):
        found |= _importances(matrices, event.scores)
    return found


def _importances(matrices: list[Matrix], scores: Iterable[float]) -> dict[str, float]:
    return {f"{IMPORTANCE}{matrix.name}": float(score) for matrix, score in zip(matrices, scores, strict=True)}


def _of_event(event: Event, matrices: list[Matrix]) -> dict[str, float]:
    match event:
        case Step():
            rate = {LEARNING_RATE: event.learning_rate} if np.isfinite(event.learning_rate) else {}
            return {LOSS: event.loss, **rate}
        case Scores():
            return _importances(matrices, event.scores)
        case Evaluation():
            return {f"{EVALUATION}{name}": value for name, value in event.metrics.items()}
        case Baseline():
            return {f"{BASELINE}{event.name}": event.value}
        case _:
            return {}
