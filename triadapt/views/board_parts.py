"""The parts of a run in a frame of the board: lists of events to few arrays, small enough to be sent twice a second."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triadapt.events import Evaluation, Matrix, RankEvent, Stamped, Started, Step
from triadapt.methods.registry import METHODS
from triadapt.views.pieces import thinned
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
        "rank_kind": event.rank_kind,
        "shared": event.shared,
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
    events = [row.event for row in rows if isinstance(row.event, Step)]
    if not events:
        return None
    times = [row.time for row in rows if isinstance(row.event, Step)]
    loss = _floats([event.loss for event in events])
    places = np.array([event.step for event in events])
    kept = keep_extremes(loss, limit)
    marks = np.unique(np.linspace(0, len(events) - 1, min(len(events), MAX_MARKS)).round().astype(int))
    whole = bool((np.diff(places[kept]) == 1).all())
    return {
        **({"first": int(places[0])} if whole else {"t": _whole(places[kept])}),
        "loss": loss[kept],
        "clock": {
            "t": _whole(places[marks]),
            "time": _floats([times[i] for i in marks]),
            "lr": _floats([events[i].learning_rate for i in marks]),
        },
    }


def rank_events(events: Sequence[tuple[RankEvent, bool]]) -> dict[str, Any] | None:
    """Allocations, each with whether its importances are to come in pieces (`late`). Ranks are those before the first
    event, and then what changes from row to row: ranks after it, ranks before the next, and so on (`changes` counts,
    `where`, `rank`). `chosen` is left out where it is what changed, in order."""
    if not events:
        return None
    all_events = [event for event, _ in events]
    rows = [row for event in all_events for row in (event.before, event.ranks)]
    moved = [np.flatnonzero(after != before) for before, after in pairwise(rows)]
    rules = [event.rule for event in all_events]
    as_moved = all(np.array_equal(event.chosen, where) for event, where in zip(all_events, moved[::2], strict=True))
    chosen = {
        "chosen": _whole(np.concatenate([np.asarray(event.chosen) for event in all_events])),
        "chosen_count": _whole([len(event.chosen) for event in all_events]),
    }
    changes = np.concatenate([after[where] for after, where in zip(rows[1:], moved, strict=True)])
    every_rank = _whole(np.concatenate([rows[0], changes]))  # of one type: the browser writes one into the other
    return {
        "t": _whole([event.step for event in all_events]),
        "threshold": _floats([event.threshold for event in all_events]),
        "allowed": _whole([event.allowed for event in all_events]),
        "total": _whole([event.total_rank for event in all_events]),
        "params": _whole([event.trainable_parameters for event in all_events]),
        "bytes": _whole([event.optimizer_bytes for event in all_events]),
        "rule": rules[0] if len(set(rules)) == 1 else rules,
        **({} if as_moved else chosen),
        "ranks": {
            "before": every_rank[: len(rows[0])],
            "changes": _whole([len(where) for where in moved]),
            "where": _whole(np.concatenate(moved)),
            "rank": every_rank[len(rows[0]) :],
        },
        "late": np.array([late for _, late in events]),
    }


def evaluations(events: Sequence[Evaluation], limit: int) -> dict[str, Any] | None:
    """Metrics on held-out data: a column each where every evaluation has the same. Of more than `limit`, those evenly
    spread, first and last among them."""
    if not events:
        return None
    events = thinned(list(events), limit)
    names = list(events[0].metrics)
    same = all(list(event.metrics) == names for event in events)
    return {
        "t": _whole([event.step for event in events]),
        "metrics": {name: _floats([event.metrics[name] for event in events]) for name in names}
        if same
        else [event.metrics for event in events],
    }


def _whole(values: Any) -> NDArray[Any]:
    """Counts in as few bytes each as hold the largest."""
    whole = np.clip(np.asarray(values, dtype=np.float64), 0, 2**32 - 1)
    most = whole.max(initial=0)
    return whole.astype("<u1" if most < 2**8 else "<u2" if most < 2**16 else "<u4")


def _floats(values: Sequence[float]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return np.asarray(values, dtype=np.float64).astype(np.float32)
