"""The payload of the live board: what a browser that holds a run up to one sequence number needs to draw the rest.

Everything is pure: stored events in, dicts of small arrays out, bytes at the end (`frames.pack`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from triadapt.events import Baseline, Evaluation, Failed, RankEvent, Stamped, Started, Step, Warned
from triadapt.runs.info import STATES
from triadapt.views import board_parts as parts_of
from triadapt.views.frames import pack
from triadapt.views.pieces import Piece, columns, in_order, size_of

# Most records of each kind in one frame, so that a full copy of a long run stays small. Rank events are never thinned.
MAX_STEPS = 4000
MAX_EVALUATIONS = 800


def board_frame(
    view: str, runs: Sequence[dict[str, Any]], *, full: bool, extras: dict[str, Any] | None = None
) -> bytes:
    """Bytes of one message to the board.

    view: name of what is looked at; another name makes the board start afresh. runs: from `run_frame`. full: whether
    `runs` is everything, from the first event on, rather than what is newer. extras: further keys of the header.
    """
    # Runs of a race adapt the same matrices, whose table is the largest part of what a run is.
    tables: list[Any] = []
    shared = []
    for run in runs:
        if "started" in run:
            table = run["started"]["matrices"]
            if table not in tables:
                tables.append(table)
            run = {**run, "started": {**run["started"], "matrices": tables.index(table)}}
        shared.append(run)
    header = {**(extras or {}), "v": 3, "view": view, "full": full, "runs": shared}
    return pack(header | ({"matrices": tables} if tables else {}))


def run_frame(
    run_id: str,
    rows: Sequence[Stamped],
    *,
    after: int,
    generation: int,
    status: dict[str, Any],
    pieces: Sequence[Piece] | None = None,
    most_steps: int = MAX_STEPS,
    most_evaluations: int = MAX_EVALUATIONS,
) -> dict[str, Any]:
    """What is newer than sequence number `after` in one run.

    rows: stored events in order; those up to `after` are left out. generation: changes when the run's history was
    rewritten (resumed from an older checkpoint), which makes the browser ask for a full copy. status: `state` (one of
    STATES) and, where known, `message`, `position` in the queue, `speed` in steps a second, `eta` in seconds, `health`
    (findings of `views/health.py`), `branched_at`, the step at which the run left another, `beside`, true for a run
    that is only there to be compared with. `label`, `colour` and `dash` in it replace those of the method, to tell two
    runs of one method apart.

    pieces: what of importances and spectra travels (`views/pieces.py`); None: all of those in `rows`, long lists of
    scores and geometry thinned. Loss curves of more than `most_steps` points are thinned, peaks kept, and evaluations
    to `most_evaluations`. Raises ValueError for an unknown state.
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
    others = [row for row in rows if not isinstance(row.event, Step)]  # steps are by far the most
    events = [row.event for row in others]
    for event in events:
        if isinstance(event, Started):
            frame["started"] = parts_of.started(event)
    ranks = [row for row in others if isinstance(row.event, RankEvent)]
    parts = {
        "step": parts_of.steps(rows, most_steps),
        "events": parts_of.rank_events([(row.event, size_of(row) > 0) for row in ranks]),  # type: ignore[misc]
        "evals": parts_of.evaluations([e for e in events if isinstance(e, Evaluation)], most_evaluations),
        "pieces": columns(in_order(rows) if pieces is None else pieces),
        "baselines": {event.name: event.value for event in events if isinstance(event, Baseline)},
        "warnings": [
            {"t": event.step, "code": event.code, "message": event.message, "advice": event.advice}
            for event in events
            if isinstance(event, Warned)
        ],
        "error": next((event.error for event in events if isinstance(event, Failed)), None),
    }
    frame.update({name: part for name, part in parts.items() if part})
    return frame
