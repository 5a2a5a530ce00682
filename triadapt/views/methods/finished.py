"""A finished run as far as the price of its method goes, read without its losses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from triadapt.events import RankEvent, Started
from triadapt.runs.info import RunInfo
from triadapt.runs.reader import RunReader
from triadapt.views.compare.configuration import flat


@dataclass(frozen=True)
class FinishedRun:
    """One run that reached its last step. config: flat, by dotted names. parameters: trainable ones at the end, the
    head's among them. most_parameters: as many as trained at any step. frozen_bytes: 0 when not recorded."""

    run: str
    method: str
    task: str
    config: dict[str, Any]
    metric: str
    higher_is_better: bool
    value: float
    parameters: int | None
    most_parameters: int | None
    frozen_bytes: int
    step_seconds: float | None
    created: float


def counts(info: RunInfo) -> bool:
    """Whether a run is a result of its settings: it is finished, has a metric, and was not branched from another, whose
    settings it had up to there."""
    known = info.metric_value is not None and math.isfinite(info.metric_value)
    return info.state == "finished" and known and info.branched_from is None


def read_finished(info: RunInfo) -> FinishedRun | None:
    """What is needed of a run that `counts`; None where it does not tell. Raises DamagedRunError."""
    if info.folder is None or info.metric_value is None:
        return None
    reader = RunReader(info.folder)
    first = reader.first_of(Started.kind)
    if first is None or not isinstance(first.event, Started):
        return None
    started = first.event
    told = [started.trainable_parameters, *reader.values_of(RankEvent.kind, "trainable_parameters")]
    trained = [count for count in told if type(count) is int and count > 0]  # of a run from elsewhere 0: not recorded
    return FinishedRun(
        run=info.id, method=info.method, task=info.task, config=flat(info.config), metric=started.metric,
        higher_is_better=started.higher_is_better, value=info.metric_value,
        parameters=trained[-1] if trained else None, most_parameters=max(trained, default=None),
        frozen_bytes=started.frozen_bytes, step_seconds=info.measured.get("step_seconds") or None, created=info.created,
    )  # fmt: skip
