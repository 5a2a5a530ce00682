"""Does the loss move when rank does? Its changes at rank events, beside those at ordinary steps of the same phase."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triadapt.views.compare.interval import half_width
from triadapt.views.compare.record import RunRecord

LONGEST, SHORTEST = 5, 3  # steps on each side of the step at which a change is measured
REACH = 4  # how many times as far away a step is of the same phase


@dataclass(frozen=True)
class LossAtEvents:
    """Mean changes of the training loss of one run: of the `window` steps after a step less the `window` up to it.

    at_events: at the `events` rank events that could be measured. ordinary: at ordinary steps before and after each of
    them, `steps` in all. difference: what rank events add, `at_events - ordinary`. half_width: of its 95 % interval,
    None for one event.
    """

    window: int
    events: int
    steps: int
    at_events: float
    ordinary: float
    difference: float
    half_width: float | None


def loss_at_events(record: RunRecord) -> LossAtEvents | str:
    """The loss around the rank events of a run, or in a few words why it cannot be told.

    The loss of a step is the one before its update, so that of the event's own step counts as before. A step is
    ordinary when no rank event lies within its windows; it is of the phase of an event when it lies at most `REACH`
    windows away and no other event is in between. The ordinary changes on either side of an event count alike, so that
    a loss that falls ever more slowly favours neither. Only events with ordinary steps on both sides count, and of
    these those with `SHORTEST` recorded losses on either side, which a thinned recording may lack.
    """
    events = record.state_steps[1:][record.chosen.any(axis=1)]
    if not events.size:
        return "no rank event moved a rank"
    gaps = np.diff(events)
    window = min(LONGEST, int(gaps.min()) // 2) if gaps.size else LONGEST
    if window < SHORTEST:
        return f"rank events are closer together than {2 * SHORTEST} steps"
    changes = _changes(record, record.steps, window)
    away = np.abs(record.steps[:, None] - events[None, :])
    ordinary = np.isfinite(changes) & (away >= window).all(axis=1)
    at_events = _changes(record, events, window)
    kept: list[tuple[float, float]] = []
    steps: set[int] = set()
    for number, (event, change) in enumerate(zip(events, at_events, strict=True)):
        low = max(event - REACH * window, events[number - 1] if number else -1)
        high = min(event + REACH * window, events[number + 1] if number + 1 < len(events) else np.inf)
        before = ordinary & (record.steps > low) & (record.steps < event)
        after = ordinary & (record.steps > event) & (record.steps < high)
        if np.isfinite(change) and before.any() and after.any():
            kept.append((change, (changes[before].mean() + changes[after].mean()) / 2))
            steps.update(np.flatnonzero(before | after).tolist())
    if not kept:
        return "too few losses are recorded around its rank events"
    found, usual = np.array(kept, np.float64).T
    return LossAtEvents(
        window, len(kept), len(steps), float(found.mean()), float(usual.mean()), float((found - usual).mean()),
        half_width(found - usual),
    )  # fmt: skip


def _changes(record: RunRecord, at: NDArray[np.int64], window: int) -> NDArray[np.float64]:
    """The change at each of the steps `at` `(k,)`; NaN where the run is too short for a window on either side, too few
    losses are recorded or one is not finite."""
    if not record.steps.size:
        return np.full(len(at), np.nan)
    low, middle, high = (np.searchsorted(record.steps, at + shift) for shift in (1 - window, 1, window + 1))
    sums = np.concatenate([[0.0], np.cumsum(np.where(np.isfinite(record.losses), record.losses, 0.0))])
    bad = np.concatenate([[0], np.cumsum(~np.isfinite(record.losses))])
    before, after = middle - low, high - middle
    inside = (at - window + 1 >= record.steps[0]) & (at + window <= record.steps[-1])
    there = inside & (np.minimum(before, after) >= SHORTEST) & (bad[high] == bad[low])
    means = [(sums[end] - sums[start]) / np.maximum(end - start, 1) for start, end in ((low, middle), (middle, high))]
    return np.where(there, means[1] - means[0], np.nan)
