"""What a comparison needs of one run, as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triadapt.events import SAVED, UNKNOWN_SHAPE, Evaluation, Event, Matrix, RankEvent, Stamped, Started, Step

KINDS = (Started.kind, RankEvent.kind, Evaluation.kind)  # beside the losses of steps
Floats = NDArray[np.float64]
Losses = tuple[Sequence[int], Sequence[float], Sequence[float]]


@dataclass(frozen=True, eq=False)
class RunRecord:
    """One run over `n` matrices: `m` recorded steps, `v` evaluations, `s` states (the start, and one a rank event).

    losses, times: loss and seconds of running time at `steps` `(m,)`. ranks `(s, n)`, totals, parameters (trainable)
    and state_times: the states, in force after step `state_steps` `(s,)`; the first, from before any step, at -1.
    chosen `(s - 1, n)`: which matrices each rank event chose. eval_steps (steps done), eval_times and metric `(v,)`.

    rank_kind: see `Started`. Of a run without a rank of its own the states are what was measured of dW: good for a map,
    and neither rank events nor anything that a budget could be held against.
    """

    matrices: tuple[Matrix, ...]
    metric_name: str
    higher_is_better: bool
    total_step: int
    target: int
    steps: NDArray[np.int64]
    losses: Floats
    times: Floats
    state_steps: NDArray[np.int64]
    state_times: Floats
    ranks: NDArray[np.int64]
    parameters: NDArray[np.int64]
    chosen: NDArray[np.bool_]
    eval_steps: NDArray[np.int64]
    eval_times: Floats
    metric: Floats
    rank_kind: str = "allotted"

    @property
    def allotted(self) -> bool:
        """Whether its ranks are its own, which its method chose; else they are effective ranks."""
        return self.rank_kind != "measured"

    @property
    def totals(self) -> NDArray[np.int64]:
        """Total rank of each state `(s,)`."""
        return np.asarray(self.ranks.sum(axis=1), np.int64)

    @property
    def last_step(self) -> int:
        """The newest step that is recorded, -1 before the first."""
        return int(self.steps[-1]) if self.steps.size else -1

    @property
    def last_time(self) -> float:
        """Seconds of running time up to the newest of what is recorded."""
        return float(max(part[-1] for part in (self.times, self.state_times, self.eval_times) if part.size))

    @property
    def planted(self) -> NDArray[np.int64] | None:
        """Planted rank of each matrix `(n,)`; None where the truth is not known."""
        found = [matrix.planted_rank for matrix in self.matrices]
        known = [rank for rank in found if rank is not None]
        return np.array(known, np.int64) if known and len(known) == len(found) else None

    @property
    def final_metric(self) -> float | None:
        """The newest value of the metric."""
        return float(self.metric[-1]) if self.metric.size else None


def same_matrices(first: RunRecord, second: RunRecord) -> bool:
    """Whether two runs adapt the same matrices: same names, places and shapes in the same order. What is planted on
    them may differ, and a shape that is not known is any."""

    def same(one: Matrix, other: Matrix) -> bool:
        places = (one.name, one.layer, one.module) == (other.name, other.layer, other.module)
        return places and (one.shape == other.shape or UNKNOWN_SHAPE in (one.shape, other.shape))

    return len(first.matrices) == len(second.matrices) and all(map(same, first.matrices, second.matrices))


def record_of(events: Iterable[Stamped], losses: Losses | None = None) -> RunRecord | None:
    """What a comparison needs of the events of a run, in order; other kinds than it knows are passed over.

    losses: steps, losses and times `(m,)` each, for who has them at hand without an event for each step. None when the
    run has not started or adapts nothing.
    """
    started: Started | None = None
    found: dict[type[Event], list[Stamped]] = {Step: [], RankEvent: [], Evaluation: []}
    for stamped in events:
        if isinstance(stamped.event, Started):
            started = started or stamped.event
        elif type(stamped.event) in found:
            found[type(stamped.event)].append(stamped)
    if started is None or not started.matrices:
        return None
    if losses is None:
        steps = [(row.event.step, row.event.loss, row.time) for row in found[Step] if isinstance(row.event, Step)]
        losses = tuple(zip(*steps, strict=True)) if steps else ((), (), ())  # type: ignore[assignment]
    evaluations = [
        (stamped.event.step, stamped.event.metrics[started.metric], stamped.time)
        for stamped in found[Evaluation]
        if isinstance(stamped.event, Evaluation) and started.metric in stamped.event.metrics
    ]
    allocations = [
        (stamped.event, stamped.time) for stamped in found[RankEvent] if isinstance(stamped.event, RankEvent)
    ]
    return RunRecord(
        matrices=tuple(started.matrices),
        metric_name=started.metric,
        higher_is_better=started.higher_is_better,
        total_step=started.total_step,
        target=started.target_total_rank,
        rank_kind=started.rank_kind,
        **_columns(("steps", "losses", "times"), losses),
        **_columns(
            ("eval_steps", "metric", "eval_times"), zip(*evaluations, strict=True) if evaluations else ((), (), ())
        ),
        **_states(started, allocations),
    )


def _columns(names: tuple[str, str, str], columns: Any) -> dict[str, Any]:
    return {
        name: _frozen(np.array(column, kind))
        for name, column, kind in zip(names, columns, (np.int64, np.float64, np.float64), strict=True)
    }


def _states(started: Started, allocations: list[tuple[RankEvent, float]]) -> dict[str, Any]:
    n = len(started.matrices)
    # A run that starts uneven says so by an event; one that starts even and never allocates has none.
    start = allocations[0][0].before if allocations else np.full(n, started.start_total_rank // n)
    allocations = [(event, time) for event, time in allocations if event.rule != SAVED]  # the start itself
    chosen = np.zeros((len(allocations), n), bool)
    for row, (event, _) in enumerate(allocations):
        chosen[row, list(event.chosen)] = True
    states = {
        "state_steps": np.array([-1, *(event.step for event, _ in allocations)], np.int64),
        "state_times": np.array([0.0, *(time for _, time in allocations)], np.float64),
        "ranks": np.array([start, *(event.ranks for event, _ in allocations)], np.int64),
        "parameters": np.array(
            [started.trainable_parameters, *(event.trainable_parameters for event, _ in allocations)], np.int64
        ),
        "chosen": chosen,
    }
    return {name: _frozen(values) for name, values in states.items()}


def _frozen(values: NDArray[Any]) -> NDArray[Any]:
    # A record is shared by all visitors of a server.
    values.setflags(write=False)
    return values
