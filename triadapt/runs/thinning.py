"""Making a recording small enough to ship: fewer curve points, rounded where only a picture is drawn from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from triadapt.events import Checkpointed, Event, Geometry, Scores, Stamped, Step

# Share of the number of `Step` events kept that is kept of the kinds with an array in each event.
SHARES: dict[type[Event], float] = {Step: 1.0, Scores: 0.2, Geometry: 0.12}


def thinned(events: list[Stamped], count: int) -> list[Stamped]:
    """At most `count` `Step` events (first, last and evenly between), a fifth as many `Scores`, an eighth as many
    `Geometry`, no `Checkpointed`, everything else as it is.

    Losses are rounded to 6 digits, scores between rank events and geometry to half precision, times to milliseconds.
    Rank events are left exact: every decision can still be recomputed.
    """
    kept = set(range(len(events)))
    for kind, share in SHARES.items():
        places = [i for i, stamped in enumerate(events) if isinstance(stamped.event, kind)]
        most = max(2, round(count * share))
        if len(places) > most:
            chosen = np.linspace(0, len(places) - 1, most).round().astype(int)
            kept -= set(places) - {places[index] for index in chosen}
    return [
        Stamped(stamped.seq, round(stamped.time, 3), _rounded(stamped.event))
        for i, stamped in enumerate(events)
        if i in kept and not isinstance(stamped.event, Checkpointed)
    ]


def _rounded(event: Event) -> Event:
    if isinstance(event, Step):
        return replace(event, loss=float(f"{event.loss:.6g}"), learning_rate=float(f"{event.learning_rate:.6g}"))
    if isinstance(event, Scores):
        return replace(event, scores=_half(event.scores))
    if isinstance(event, Geometry):
        return replace(event, singular=_half(event.singular), core=_half(event.core))
    return event


def _half(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 with 10 bits of fraction, which compress to half the size; the exponent keeps its range."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + np.uint32(1 << 12)) & np.uint32(0xFFFFE000)).view(np.float32)
