"""How far two allocations agree: the ranks at the end, and event by event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from triadapt.views.compare.agreement import spearman
from triadapt.views.what_if.recording import Allocation, Ranks


@dataclass(frozen=True)
class Agreement:
    """How far a guess agrees with the truth.

    placed: share of the rank that moved that moved alike. matrices: share of the matrices with the same rank at the
    end. correlation: Spearman's, of the ranks at the end; None where one of them is constant. events: at the steps at
    which either has an event, who both chose over who either chose, on average; None without events.
    """

    placed: float
    matrices: float
    correlation: float | None
    events: float | None


def agreement(start: Ranks, guess: Ranks, truth: Ranks, events: float | None = None) -> Agreement:
    """Of the ranks at the end, `(n,)` each as the ranks at the start are."""
    return Agreement(placed(start, guess, truth), float(np.mean(guess == truth)), spearman(guess, truth), events)


def placed(start: Ranks, guess: Ranks, truth: Ranks) -> float:
    """Share of the rank moved since `start` `(n,)`, given or taken, that guess and truth `(n,)` moved on the same
    matrices: `sum(min) / max(sum)`; 1 where neither moved any."""
    first, second = np.abs(guess - start), np.abs(truth - start)
    most = max(first.sum(), second.sum())
    return float(np.minimum(first, second).sum() / most) if most else 1.0


def per_event(guess: Sequence[Allocation], truth: Sequence[Allocation]) -> float | None:
    """Jaccard index of who was chosen, over all steps at which either has an event, on average; an event of one alone
    counts 0, one at which neither chose anybody 1."""
    ours, theirs = ({event.step: set(event.chosen) for event in events} for events in (guess, truth))
    shares = []
    for step in sorted(set(ours) | set(theirs)):
        if step not in ours or step not in theirs:
            shares.append(0.0)
            continue
        either = ours[step] | theirs[step]
        shares.append(len(ours[step] & theirs[step]) / len(either) if either else 1.0)
    return float(np.mean(shares)) if shares else None
