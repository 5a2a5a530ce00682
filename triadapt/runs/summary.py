"""The result of a run in a few numbers, for machines that compare runs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triadapt.events import Checkpointed, Evaluation, Finished, RankEvent, Stamped, Started, Step, encode
from triadapt.runs.bundle import Readable
from triadapt.views.final_ranks import first_and_final_ranks
from triadapt.views.recovery import recovery


def summary(reader: Readable) -> dict[str, Any]:
    """State, final ranks, metrics, recovery of planted ranks (None when nothing is planted), speed, and a hash that
    equal trainings share. Where `rank_kind` is `measured`, ranks are effective ones: there is no target for them and no
    recovery. Raises DamagedRunError."""
    info, events = reader.info(), reader.events()
    started = next((s.event for s in events if isinstance(s.event, Started)), None)
    ranks, start = first_and_final_ranks(events, started)
    metrics: dict[str, float] = {}
    parameters = started.trainable_parameters if started else None
    for stamped in events:
        match stamped.event:
            case Evaluation() | Finished() as event:
                metrics = event.metrics
            case RankEvent() as event:
                parameters = event.trainable_parameters
            case _:
                pass
    times = [stamped.time for stamped in events if isinstance(stamped.event, Step)]
    span = times[-1] - times[0] if len(times) > 1 else 0.0
    return {
        "id": info.id,
        "method": info.method,
        "state": info.state,
        "error": info.error,
        "rank_kind": started.rank_kind if started else None,
        "final_ranks": None if ranks is None else ranks.tolist(),
        "total_rank": info.total_rank,
        "target_total_rank": None if started and not started.allotted else info.target_total_rank,
        "trainable_parameters": parameters,
        "metrics": metrics,
        "recovery": _recovery(started, ranks, start),
        "events_sha256": events_sha256(events),
        "seconds": info.seconds,
        "steps_per_second": (len(times) - 1) / span if span > 0 else None,
    }


def _recovery(
    started: Started | None, ranks: NDArray[np.uint16] | None, start: NDArray[np.uint16] | None
) -> dict[str, float | None] | None:
    if started is None or ranks is None or start is None or not started.allotted:
        return None
    planted = [matrix.planted_rank for matrix in started.matrices]
    known = [rank for rank in planted if rank is not None]
    if len(known) < len(planted):
        return None
    return recovery(ranks, np.array(known), start)


def events_sha256(events: Sequence[Stamped]) -> str:
    """Hash of what happened: kind, step, body and arrays of every event but checkpoints; clock and numbering left
    out."""
    digest = hashlib.sha256()
    for stamped in events:
        if isinstance(stamped.event, Checkpointed):
            continue
        body, arrays = encode(stamped.event)
        head = f"{stamped.event.kind} {stamped.event.step} {len(body)} {len(arrays)}\n"
        digest.update(head.encode() + body.encode() + arrays)
    return digest.hexdigest()
