"""A run as a lesson draws it: every state, the scores of every event, and how much each matrix changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from triadapt.events import Geometry, RankEvent, Stamped, decided
from triadapt.methods.registry import METHODS
from triadapt.runs.bundle import Readable
from triadapt.runs.reader import RunReader
from triadapt.views.board_parts import matrix_table
from triadapt.views.compare.frame import binned
from triadapt.views.compare.record import KINDS, record_of

MOST_LOSSES = 120
# What the lessons show of a configuration.
SHOWN = (
    "steps", "seed", "warmup", "interval", "growth", "top_h", "add_r", "reference_rank", "alpha", "learning_rate",
    "batch_size", "weight_decay",
)  # fmt: skip


def lesson_run(run: Readable, called: str) -> dict[str, Any]:
    """One run for `ui/learn/race.js`. called: its name in the lesson. A run that has not started has no `matrices`."""
    info = run.info()
    spec = METHODS[info.method]
    events = run.events_of(*KINDS, Geometry.kind) if isinstance(run, RunReader) else run.events()
    record = record_of(events, run.losses() if isinstance(run, RunReader) else None)
    shared = {
        "called": called, "label": spec.label, "method": spec.name, "colour": spec.colour, "dash": spec.dash,
        "state": info.state, "error": info.error, "config": _shown(info.config, spec.name),
    }  # fmt: skip
    if record is None:
        return shared
    decisions = [stamped.event for stamped in events if isinstance(stamped.event, RankEvent) and decided(stamped.event)]
    losses = binned(record.steps, record.losses, MOST_LOSSES)
    return shared | {
        "matrices": matrix_table(record.matrices), "total_step": record.total_step, "target": record.target,
        "last": record.last_step, "losses": losses, "metric": record.metric_name,
        "higher": record.higher_is_better,
        "metrics": {"t": record.eval_steps.astype(np.uint32), "value": record.metric},
        "events": record.state_steps[1:].astype(np.uint32), "ranks": record.ranks.astype(np.uint16),
        "parameters": record.parameters.astype(np.uint32), "chosen": [list(event.chosen) for event in decisions],
        "thresholds": [float(event.threshold) for event in decisions],
        "allowed": [event.allowed for event in decisions],
        "scores": np.concatenate([event.scores for event in decisions]) if decisions else np.zeros(0, np.float32),
        "norms": _norms(events),
    }  # fmt: skip


def _norms(events: Sequence[Stamped]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Frobenius norm of dW of each matrix `(n,)` at the newest geometry, of its singular values; empty before one."""
    shape = next((row.event for row in reversed(events) if isinstance(row.event, Geometry)), None)
    if shape is None:
        return np.zeros(0, np.float32)
    ends = np.cumsum(shape.ranks)
    parts = np.split(shape.singular.astype(np.float64), ends[:-1])
    return np.array([np.sqrt(np.sum(part * part)) for part in parts], np.float32)


def _shown(config: dict[str, Any], method: str) -> dict[str, Any]:
    own = {f"{method}.{name}": value for name, value in config.get(method, {}).items()}
    return {name: config[name] for name in SHOWN if name in config} | own
