"""The frame of a race that is handed on as one small file: what the live board gets, thinned and rounded only as far as
its size asks for."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from triadapt.events import Event, Geometry, RankEvent, Scores, Stamped, Step
from triadapt.views.board import board_frame, run_frame
from triadapt.views.thinning import keep_extremes

E_ = TypeVar("E_", bound=Event)


@dataclass(frozen=True)
class Detail:
    """How much of a race is kept.

    steps, geometries, scores: most records of the kind a run. core: whether what stands between A and B is among them.
    bits: of the mantissa of importances, 23 for all. limit: most bytes of the frame, compressed.
    """

    steps: int
    geometries: int
    core: bool
    scores: int
    bits: int
    limit: float


# From the richest on; the first that keeps to its limit is taken. What follows in the page adds a third for base64.
DETAILS = (
    Detail(4000, 40, True, 24, 23, 200_000),
    Detail(1500, 24, True, 24, 12, 200_000),
    Detail(1000, 12, True, 12, 10, 260_000),
    Detail(1000, 12, False, 12, 10, 700_000),
    Detail(600, 6, False, 6, 7, 1_100_000),
    Detail(400, 0, False, 0, 5, 1_200_000),
    Detail(200, 0, False, 0, 2, float("inf")),
)


def replay_frame(
    view: str, runs: Sequence[tuple[str, int, Sequence[Stamped]]], *, details: Sequence[Detail] = DETAILS
) -> tuple[bytes, Detail]:
    """The gzipped frame of `runs`, each `(id, generation, events)`, and what was kept of them.

    Rank events are never thinned: ranks, thresholds and who was chosen are exact. Rounding an importance never takes it
    across the threshold. The same events give the same bytes.
    """
    for detail in details:
        frames = [
            run_frame(run_id, kept(rows, detail), after=0, generation=generation, status={"state": "recorded"})
            for run_id, generation, rows in runs
        ]
        frame = gzip.compress(board_frame(view, frames, full=True), compresslevel=9, mtime=0)
        if len(frame) <= detail.limit:
            break
    return frame, detail


def kept(rows: Sequence[Stamped], detail: Detail) -> list[Stamped]:
    """Those of the events that `detail` keeps, rounded as it says."""
    steps = [row for row in rows if isinstance(row.event, Step)]
    losses = np.array([row.event.loss for row in steps if isinstance(row.event, Step)], np.float64)
    chosen = {steps[i].seq for i in keep_extremes(losses, detail.steps)}
    chosen |= {row.seq for row in _spread(_of(Scores, rows), detail.scores)}
    chosen |= {row.seq for row in _spread(_of(Geometry, rows), detail.geometries)}
    thinned = (Step, Scores, Geometry)
    left = [row for row in rows if not isinstance(row.event, thinned) or row.seq in chosen]
    if detail.bits >= 23 and detail.core:
        return left
    return [replace(row, event=_rounded(row.event, detail)) for row in left]


def _of(kind: type[E_], rows: Sequence[Stamped]) -> list[Stamped]:
    return [row for row in rows if isinstance(row.event, kind)]


def _spread(rows: list[Stamped], limit: int) -> list[Stamped]:
    """At most `limit` of the rows, evenly spread."""
    if len(rows) <= limit:
        return rows
    return [rows[i] for i in np.linspace(0, len(rows) - 1, limit).round().astype(int)]


def _rounded(event: Event, detail: Detail) -> Event:
    match event:
        case Scores():
            return replace(event, scores=rounded(event.scores, detail.bits))
        case RankEvent():
            return replace(
                event,
                scores=rounded(event.scores, detail.bits, event.threshold),
                unit_scores=rounded(event.unit_scores, detail.bits, event.threshold),
            )
        case Geometry():
            core = rounded(event.core, detail.bits) if detail.core else event.core[:0]
            return replace(event, singular=rounded(event.singular, detail.bits), core=core)
        case _:
            return event


def rounded(values: NDArray[np.float32], bits: int, threshold: float = 0.0) -> NDArray[np.float32]:
    """`values` `(n,)` with `bits` of their 23 bits of mantissa left, which compresses well.

    Values of at least `threshold` are rounded up, those below it down, so that none crosses it.
    """
    given = np.asarray(values, np.float32)
    if bits >= 23:
        return given
    dropped = np.uint32((1 << (23 - bits)) - 1)
    raw = given.view(np.uint32)
    towards_zero = raw & ~dropped
    # One unit of what is left further from zero; what is exact already stays.
    away = np.where(raw & dropped, towards_zero + (dropped + np.uint32(1)), raw)
    up = given.astype(np.float64) >= threshold
    out = np.where(up == (given >= 0), away, towards_zero).astype(np.uint32).view(np.float32)
    return np.where(np.isfinite(given) & np.isfinite(out), out, given)


def left_out(detail: Detail, runs: Sequence[Sequence[Stamped]]) -> list[str]:
    """What a page has to say about its curves and bars, in words; empty when everything is in it."""
    words = []
    most = max((len(_of(Step, rows)) for rows in runs), default=0)
    if most > detail.steps:
        words.append(f"{detail.steps} of {most} losses a run, peaks kept")
    if detail.bits < 23:
        digits = max(1, round(detail.bits * float(np.log10(2))))
        words.append(f"importances rounded to {digits} {'digit' if digits == 1 else 'digits'}")
    spectra = max((len(_of(Geometry, rows)) for rows in runs), default=0)
    if spectra > detail.geometries:
        words.append(f"{detail.geometries or 'no'} of {spectra} spectra of a run")
    if not detail.core and detail.geometries:
        words.append("nothing of what stands between A and B")
    return words


def settings_table(configs: Sequence[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    """Rows `(field, values)` of all configurations, fields of sections as `section.field`: one value where all runs
    agree, else one a run."""
    flat = [dict(_flat(config)) for config in configs]
    names = list(dict.fromkeys(name for one in flat for name in one))
    rows = []
    for name in names:
        values = [one.get(name, "") for one in flat]
        rows.append((name, values[:1] if len(set(values)) == 1 else values))
    return rows


def _flat(config: dict[str, Any], before: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, value in config.items():
        if isinstance(value, dict):
            found += _flat(value, f"{before}{name}.")
        else:
            text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
            found.append((f"{before}{name}", text))
    return found
