"""What a recorded run holds for its decisions to be taken again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triadapt.config import ConfigError, RunConfig, parse_config
from triadapt.events import Event, Geometry, Matrix, RankEvent, Scores, Stamped, Started, Step
from triadapt.methods.registry import METHODS
from triadapt.runs.info import RunError

KINDS = (Started.kind, Step.kind, Scores.kind, RankEvent.kind, Geometry.kind)
Floats = NDArray[np.float32]
Ranks = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Allocation:
    """One rank event, real or replayed. threshold, allowed and chosen as in `RankEvent`; ranks: after it, `(n,)`. age:
    how many steps before the event its scores were recorded; below 0 where none so early are."""

    step: int
    threshold: float
    allowed: int
    chosen: tuple[int, ...]
    ranks: Ranks
    age: int = 0

    @property
    def total(self) -> int:
        """Total rank after it."""
        return int(self.ranks.sum())


@dataclass(frozen=True, eq=False)
class Recording:
    """The scores and decisions of a run over `n` matrices, in `k` records of scores.

    start: ranks before any event `(n,)`. last_step: the newest that is recorded. given_until: rank events up to this
    step belong to the run this one goes on from; -1 for none. steps `(k,)`, rising, and scores `(k, n)`; a record made
    by a rank event shows the state before it, and `at_event` `(k,)` tells which are. events: the real decisions.
    unit_scores at `unit_steps`: those of AdaLoRA's `u` triplets at each event; unit_matrix `(u,)`: where they belong.
    geometry: ranks and cores, now and then.
    """

    config: RunConfig
    matrices: tuple[Matrix, ...]
    start: Ranks
    last_step: int
    given_until: int
    steps: NDArray[np.int64]
    scores: Floats
    at_event: NDArray[np.bool_]
    events: tuple[Allocation, ...]
    unit_steps: NDArray[np.int64]
    unit_scores: tuple[Floats, ...]
    unit_matrix: NDArray[np.int64]
    geometry: tuple[Geometry, ...]

    @property
    def limits(self) -> list[int]:
        """The largest rank of each matrix."""
        return [min(matrix.shape) for matrix in self.matrices]

    @property
    def final(self) -> Ranks:
        """Ranks after the last recorded event `(n,)`."""
        return self.events[-1].ranks if self.events else self.start

    def record_at(self, step: int) -> int:
        """The newest record at or before `step`, the first where none is so early."""
        return max(0, int(np.searchsorted(self.steps, step, side="right")) - 1)


def recording_of(events: Iterable[Stamped], given_until: int = -1) -> Recording:
    """The recording in the events of a run, in order. Raises RunError in one line where there is nothing to replay."""
    started: Started | None = None
    last_step = -1
    scored: list[tuple[int, Floats, bool]] = []
    allocations: list[RankEvent] = []
    shapes: list[Geometry] = []
    for stamped in events:
        event: Event = stamped.event
        if isinstance(event, Started):
            started = event
        elif isinstance(event, Step):
            last_step = event.step
        elif isinstance(event, Scores):
            scored.append((event.step, event.scores, False))
        elif isinstance(event, RankEvent):
            scored.append((event.step, event.scores, True))
            allocations.append(event)
        elif isinstance(event, Geometry):
            shapes.append(event)
    if started is None or not started.matrices:
        raise RunError("it has not started yet, so there are no scores to replay")
    config = _config(started)
    if "warmup" not in started.config:
        raise RunError(
            "what it was imported from tells nothing of its schedule, so its decisions cannot be taken again"
        )
    if not METHODS[config.method].replayed:
        raise RunError(f"{METHODS[config.method].label} takes no decisions about rank, so there is nothing to replay")
    n = len(started.matrices)
    start = np.asarray(allocations[0].before if allocations else np.full(n, started.start_total_rank // n), np.int64)
    if config.method == "increlora":
        scored = _while_scoring(scored, allocations, started.target_total_rank)
    if not scored or any(len(values) != n for _, values, _ in scored):
        raise RunError("it recorded no scores of its matrices yet")
    units = [event for event in allocations if len(event.unit_scores)]
    return Recording(
        config=config,
        matrices=tuple(started.matrices),
        start=start,
        last_step=max(last_step, scored[-1][0]),
        given_until=given_until,
        steps=np.array([step for step, _, _ in scored], np.int64),
        scores=np.array([values for _, values, _ in scored], np.float32),
        at_event=np.array([here for _, _, here in scored], bool),
        events=tuple(
            Allocation(e.step, e.threshold, e.allowed, tuple(e.chosen), np.asarray(e.ranks, np.int64))
            for e in allocations
        ),
        unit_steps=np.array([event.step for event in units], np.int64),
        unit_scores=tuple(event.unit_scores for event in units),
        unit_matrix=np.asarray(units[0].unit_matrix if units else (), np.int64),
        geometry=tuple(shapes),
    )


def _config(started: Started) -> RunConfig:
    try:
        return parse_config(started.config)
    except ConfigError as error:
        raise RunError(f"its configuration is not valid any more: {error.lines[0]}") from None


def _while_scoring(
    scored: list[tuple[int, Floats, bool]], allocations: list[RankEvent], target: int
) -> list[tuple[int, Floats, bool]]:
    """Without what IncreLoRA records after it reached its target: it scores no more, and repeats what it had."""
    full = next((event.step for event in allocations if event.total_rank >= target), None)
    return scored if full is None else [record for record in scored if record[0] <= full]
