"""The payload of the live board: what a browser that holds a run up to one sequence number needs to draw the rest.

Everything is pure: stored events in, dicts of small arrays out, bytes at the end (`frames.pack`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from triadapt.events import (
    Baseline,
    Evaluation,
    Event,
    Failed,
    Geometry,
    RankEvent,
    Scores,
    Stamped,
    Started,
    Step,
    Warned,
)
from triadapt.methods.registry import METHODS
from triadapt.runs.info import STATES
from triadapt.views.frames import pack
from triadapt.views.thinning import keep_extremes

# Most records of each kind in one frame, so that a full copy of a long run stays small. Rank events are never thinned.
MAX_STEPS = 4000
MAX_MARKS = 50
MAX_SCORES = 24
MAX_GEOMETRY = 40
E_ = TypeVar("E_", bound=Event)


def board_frame(
    view: str, runs: Sequence[dict[str, Any]], *, full: bool, extras: dict[str, Any] | None = None
) -> bytes:
    """Bytes of one message to the board.

    view: name of what is looked at; another name makes the board start afresh. runs: from `run_frame`. full: whether
    `runs` is everything, from the first event on, rather than what is newer. extras: further keys of the header.
    """
    return pack({**(extras or {}), "v": 1, "view": view, "full": full, "runs": list(runs)})


def run_frame(
    run_id: str, rows: Sequence[Stamped], *, after: int, generation: int, status: dict[str, Any]
) -> dict[str, Any]:
    """What is newer than sequence number `after` in one run.

    rows: stored events in order; those up to `after` are left out. generation: changes when the run's history was
    rewritten (resumed from an older checkpoint), which makes the browser ask for a full copy. status: `state` (one of
    STATES) and, where known, `message`, `position` in the queue, `speed` in steps a second, `eta` in seconds, `health`
    (findings of `views/health.py`). `label`, `colour` and `dash` in it replace those of the method, to tell two runs of
    one method apart.

    Loss curves of more than 4000 points are thinned, peaks kept, and so are long lists of scores and geometry.
    Raises ValueError for an unknown state.
    """
    if status.get("state") not in STATES:
        raise ValueError(f"state = {status.get('state')!r}: known are {', '.join(STATES)}")
    rows = [row for row in rows if row.seq > after]
    frame: dict[str, Any] = {
        "id": run_id,
        "from": after,
        "to": rows[-1].seq if rows else after,
        "generation": generation,
        "status": {key: value for key, value in status.items() if value is not None},
    }
    events = [row.event for row in rows]
    for started in _of(Started, events):
        frame["started"] = _started(started)
    parts = {
        "step": _steps(rows),
        "scores": _scores(_thinned(_of(Scores, events), MAX_SCORES)),
        "events": _rank_events(_of(RankEvent, events)),
        "evals": _evaluations(_of(Evaluation, events)),
        "geometry": _geometry(_thinned(_of(Geometry, events), MAX_GEOMETRY)),
        "baselines": {event.name: event.value for event in _of(Baseline, events)},
        "warnings": [
            {"t": event.step, "code": event.code, "message": event.message, "advice": event.advice}
            for event in _of(Warned, events)
        ],
        "error": next((event.error for event in _of(Failed, events)), None),
    }
    frame.update({name: part for name, part in parts.items() if part})
    return frame


def _of(kind: type[E_], events: Iterable[Event]) -> list[E_]:
    return [event for event in events if isinstance(event, kind)]


def _started(event: Started) -> dict[str, Any]:
    spec = METHODS.get(event.method)
    return {
        "method": event.method,
        "label": spec.label if spec else event.method,
        "colour": spec.colour if spec else "#7f7f7f",
        "dash": spec.dash if spec else "solid",
        "allocation": event.allocation,
        "core_kind": event.core_kind,
        "task": event.task,
        "metric": event.metric,
        "higher_is_better": event.higher_is_better,
        "total_step": event.total_step,
        "start_total": event.start_total_rank,
        "target_total": event.target_total_rank,
        "parameters": event.trainable_parameters,
        "planned": _whole(event.planned),
        "matrices": [
            {"name": m.name, "layer": m.layer, "module": m.module, "shape": list(m.shape), "planted": m.planted_rank}
            for m in event.matrices
        ],
        "device": event.device,
        "config": event.config,
    }


def _thinned(events: list[E_], limit: int) -> list[E_]:
    """At most `limit` of the events, evenly spread, the first and the last among them."""
    if len(events) <= limit:
        return events
    return [events[index] for index in np.linspace(0, len(events) - 1, limit).round().astype(int)]


def _steps(rows: Sequence[Stamped]) -> dict[str, Any] | None:
    stamped = [(row.event, row.time) for row in rows if isinstance(row.event, Step)]
    if not stamped:
        return None
    steps = [event for event, _ in stamped]
    loss = _floats([event.loss for event in steps])
    kept = keep_extremes(loss, MAX_STEPS)
    # Time and rate run nearly straight: the browser interpolates between a few marks.
    marks = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), MAX_MARKS)).round().astype(int))
    return {
        "t": _whole([event.step for event in steps])[kept],
        "loss": loss[kept],
        "clock": {
            "t": _whole([steps[i].step for i in marks]),
            "time": _floats([stamped[i][1] for i in marks]),
            "lr": _floats([steps[i].learning_rate for i in marks]),
        },
    }


def _scores(events: Sequence[Scores]) -> dict[str, Any] | None:
    if not events:
        return None
    return {"t": _whole([event.step for event in events]), "values": _joined([event.scores for event in events], "f4")}


def _rank_events(events: Sequence[RankEvent]) -> dict[str, Any] | None:
    if not events:
        return None
    return {
        "t": _whole([event.step for event in events]),
        "threshold": _floats([event.threshold for event in events]),
        "allowed": _whole([event.allowed for event in events]),
        "total": _whole([event.total_rank for event in events]),
        "params": _whole([event.trainable_parameters for event in events]),
        "bytes": _whole([event.optimizer_bytes for event in events]),
        "rule": [event.rule for event in events],
        "chosen": [[int(index) for index in event.chosen] for event in events],
        "scores": _joined([event.scores for event in events], "f4"),
        "ranks": _ranks([event.ranks for event in events]),
        "before": _ranks([event.before for event in events]),
        "units": _joined([event.unit_scores for event in events], "f4"),
        "unit_matrix": _joined([event.unit_matrix for event in events], "u2"),
        "unit_count": _whole([len(event.unit_scores) for event in events]),
    }


def _evaluations(events: Sequence[Evaluation]) -> dict[str, Any] | None:
    if not events:
        return None
    return {"t": _whole([event.step for event in events]), "metrics": [event.metrics for event in events]}


def _geometry(events: Sequence[Geometry]) -> dict[str, Any] | None:
    if not events:
        return None
    return {
        "t": _whole([event.step for event in events]),
        "ranks": _ranks([event.ranks for event in events]),
        "singular": _joined([event.singular for event in events], "f4"),
        "core": _joined([event.core for event in events], "f4"),
        "singular_count": _whole([len(event.singular) for event in events]),
        "core_count": _whole([len(event.core) for event in events]),
    }


def _whole(values: Sequence[float]) -> NDArray[np.uint32]:
    return np.clip(np.asarray(values, dtype=np.float64), 0, 2**32 - 1).astype(np.uint32)


def _floats(values: Sequence[float]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return np.asarray(values, dtype=np.float64).astype(np.float32)


def _joined(parts: Sequence[NDArray[Any]], dtype: str) -> NDArray[Any]:
    return np.concatenate([np.asarray(part) for part in parts]).astype(f"<{dtype}")


def _ranks(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """One byte a rank while every rank fits, two otherwise."""
    joined = _joined(parts, "u2")
    return joined.astype("<u1") if not joined.size or joined.max() < 256 else joined
