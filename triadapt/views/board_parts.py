"""The parts of a run in a frame of the board: lists of events to few arrays, small enough to be sent twice a second."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triadapt.events import Evaluation, Geometry, Matrix, RankEvent, Scores, Stamped, Started, Step
from triadapt.methods.registry import METHODS
from triadapt.views.thinning import keep_extremes

MAX_MARKS = 50
UNKNOWN = 2**16 - 1


def started(event: Started) -> dict[str, Any]:
    """Who runs, and on what. `matrices` is a table, see `matrix_table`."""
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
        "matrices": matrix_table(event.matrices),
        "device": event.device,
        "config": event.config,
    }


def matrix_table(matrices: Sequence[Matrix]) -> dict[str, Any]:
    """Columns `layer`, `module` (index into `modules`), `shape` (index into `shapes`), `planted` (65535: unknown) and
    `patterns`: for each module a name with `{}` for the layer; or, where these do not give all names, `names`."""
    modules = list(dict.fromkeys(m.module for m in matrices))
    shapes = list(dict.fromkeys(m.shape for m in matrices))
    patterns = [_pattern(next(m for m in matrices if m.module == module)) for module in modules]
    fits = all(patterns[modules.index(m.module)].replace("{}", str(m.layer)) == m.name for m in matrices)
    return {
        "layer": [m.layer for m in matrices],
        "modules": modules,
        "module": [modules.index(m.module) for m in matrices],
        "shapes": [list(shape) for shape in shapes],
        "shape": [shapes.index(m.shape) for m in matrices],
        "planted": [UNKNOWN if m.planted_rank is None else m.planted_rank for m in matrices],
        **({"patterns": patterns} if fits else {"names": [m.name for m in matrices]}),
    }


def _pattern(matrix: Matrix) -> str:
    return ".".join("{}" if part == str(matrix.layer) else part for part in matrix.name.split("."))


def steps(rows: Sequence[Stamped], limit: int) -> dict[str, Any] | None:
    """Losses with their steps (the first alone where none is missing); time and rate, which run nearly straight, at a
    few marks, between which the browser interpolates."""
    stamped = [(row.event, row.time) for row in rows if isinstance(row.event, Step)]
    if not stamped:
        return None
    loss = _floats([event.loss for event, _ in stamped])
    places = np.array([event.step for event, _ in stamped])
    kept = keep_extremes(loss, limit)
    marks = np.unique(np.linspace(0, len(stamped) - 1, min(len(stamped), MAX_MARKS)).round().astype(int))
    whole = bool((np.diff(places[kept]) == 1).all())
    return {
        **({"first": int(places[0])} if whole else {"t": _whole(places[kept])}),
        "loss": loss[kept],
        "clock": {
            "t": _whole(places[marks]),
            "time": _floats([stamped[i][1] for i in marks]),
            "lr": _floats([stamped[i][0].learning_rate for i in marks]),
        },
    }


def scores(events: Sequence[Scores]) -> dict[str, Any] | None:
    """Importances between rank events."""
    if not events:
        return None
    return {"t": _whole([event.step for event in events]), "values": _joined([event.scores for event in events], "f4")}


def rank_events(events: Sequence[tuple[RankEvent, bool]]) -> dict[str, Any] | None:
    """Allocations, each with whether its importances travel too. Ranks are those before the first event, and then what
    changes from row to row: ranks after it, ranks before the next, and so on (`changes` counts, `where`, `rank`)."""
    if not events:
        return None
    all_events = [event for event, _ in events]
    rows = [row for event in all_events for row in (event.before, event.ranks)]
    moved = [np.flatnonzero(after != before) for before, after in pairwise(rows)]
    rules = [event.rule for event in all_events]
    return {
        "t": _whole([event.step for event in all_events]),
        "threshold": _floats([event.threshold for event in all_events]),
        "allowed": _whole([event.allowed for event in all_events]),
        "total": _whole([event.total_rank for event in all_events]),
        "params": _whole([event.trainable_parameters for event in all_events]),
        "bytes": _whole([event.optimizer_bytes for event in all_events]),
        "rule": rules[0] if len(set(rules)) == 1 else rules,
        "chosen": _joined([np.asarray(event.chosen, np.uint16) for event in all_events], "u2"),
        "chosen_count": _joined([np.array([len(event.chosen)]) for event in all_events], "u2"),
        "ranks": {
            "before": rows[0].astype("<u2"),
            "changes": np.array([len(where) for where in moved], "<u2"),
            "where": _joined(moved, "u2"),
            "rank": _joined([after[where] for after, where in zip(rows[1:], moved, strict=True)], "u2"),
        },
        "scored": np.array([present for _, present in events]),
        **(event_scores([event for event, present in events if present]) or {}),
    }


def event_scores(events: Sequence[RankEvent]) -> dict[str, Any] | None:
    """Importances at allocations, of matrices and of their parts."""
    if not events:
        return None
    return {
        "scores_t": _whole([event.step for event in events]),
        "scores": _joined([event.scores for event in events], "f4"),
        "units": _joined([event.unit_scores for event in events], "f4"),
        "unit_matrix": _joined([event.unit_matrix for event in events], "u2"),
        "unit_count": _whole([len(event.unit_scores) for event in events]),
    }


def evaluations(events: Sequence[Evaluation]) -> dict[str, Any] | None:
    """Metrics on held-out data: a column each where every evaluation has the same."""
    if not events:
        return None
    names = list(events[0].metrics)
    same = all(list(event.metrics) == names for event in events)
    return {
        "t": _whole([event.step for event in events]),
        "metrics": {name: _floats([event.metrics[name] for event in events]) for name in names}
        if same
        else [event.metrics for event in events],
    }


def geometry(events: Sequence[Geometry]) -> dict[str, Any] | None:
    """Spectra of dW and what stands between A and B. Pictures only are drawn from them: half precision."""
    if not events:
        return None
    return {
        "t": _whole([event.step for event in events]),
        "ranks": _ranks([event.ranks for event in events]),
        "singular": _halves([event.singular for event in events]),
        "core": _halves([event.core for event in events]),
        "singular_count": _whole([len(event.singular) for event in events]),
        "core_count": _whole([len(event.core) for event in events]),
    }


def _whole(values: Any) -> NDArray[np.uint32]:
    return np.clip(np.asarray(values, dtype=np.float64), 0, 2**32 - 1).astype(np.uint32)


def _floats(values: Sequence[float]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return np.asarray(values, dtype=np.float64).astype(np.float32)


def _joined(parts: Sequence[NDArray[Any]], dtype: str) -> NDArray[Any]:
    return np.concatenate([np.asarray(part) for part in parts] or [np.zeros(0)]).astype(f"<{dtype}")


def _halves(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    largest = np.finfo(np.float16).max
    halves: NDArray[np.float16] = np.clip(np.concatenate(parts), -largest, largest).astype("<f2")
    return halves


def _ranks(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """One byte a rank while every rank fits, two otherwise."""
    joined = _joined(parts, "u2")
    return joined.astype("<u1") if not joined.size or joined.max() < 256 else joined
