"""A run beside its replay under another schedule: the events that differ, and what it comes to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from triadapt.config import RunConfig
from triadapt.events import Matrix
from triadapt.runs.info import Scalar
from triadapt.views.recovery import recovery
from triadapt.views.what_if.changes import changed
from triadapt.views.what_if.recording import Allocation, Ranks, Recording
from triadapt.views.what_if.replay import replay

MOST_NAMED = 8


@dataclass(frozen=True, eq=False)
class WhatIf:
    """A recording, the configuration with `changes` as (before, after), and what was replayed under it."""

    recording: Recording
    config: RunConfig
    changes: dict[str, tuple[Scalar, Scalar]]
    replayed: tuple[Allocation, ...]

    @property
    def final(self) -> Ranks:
        """Replayed ranks at the end `(n,)`."""
        return self.replayed[-1].ranks if self.replayed else self.recording.start

    @property
    def oldest(self) -> int:
        """Most steps between an event and the record its scores are from, in either direction."""
        return max((abs(event.age) for event in self.replayed), default=0)

    @property
    def cut_at(self) -> int | None:
        """The last recorded step where the recording ends before the run would; nothing is replayed beyond."""
        last = self.recording.last_step
        return last if last + 1 < self.config.steps else None


def what_if(recording: Recording, values: Mapping[str, Any]) -> WhatIf:
    """Replay a recording with other `values`, by dotted name. Raises ConfigError, and RunError where it cannot be."""
    config, changes = changed(recording.config, values)
    return WhatIf(recording, config, changes, replay(recording, config))


def differing_events(found: WhatIf) -> list[dict[str, Any]]:
    """A row for each step at which recorded and replayed events differ, in who was chosen or by being there at all.

    step; allowed, threshold, total and chosen of both, None where there is no event; age of the replayed scores.
    """
    real = {event.step: event for event in found.recording.events}
    replayed = {event.step: event for event in found.replayed}
    rows = []
    for step in sorted(real.keys() | replayed.keys()):
        ours, theirs = real.get(step), replayed.get(step)
        if ours is not None and theirs is not None and set(ours.chosen) == set(theirs.chosen):
            continue
        row: dict[str, Any] = {"step": step}
        for name, event in (("recorded", ours), ("replayed", theirs)):
            row |= {
                f"{name}_allowed": None if event is None else event.allowed,
                f"{name}_threshold": None if event is None else event.threshold,
                f"{name}_total": None if event is None else event.total,
                f"{name}_chosen": None if event is None else list(event.chosen),
            }
        rows.append(row | {"age": None if theirs is None else theirs.age})
    return rows


def summary(found: WhatIf) -> dict[str, Any]:
    """What the change comes to: matrices that end with another rank, ranks given to others instead (`moved`), ranks
    more in all (`added`, negative: fewer), totals, events, and the recovery of both where the truth is known."""
    recording, difference = found.recording, found.final - found.recording.final
    more, less = int(difference[difference > 0].sum()), int(-difference[difference < 0].sum())
    planted = [matrix.planted_rank for matrix in recording.matrices]
    known = np.array([rank for rank in planted if rank is not None])
    both = {"recorded": recording.final, "replayed": found.final}
    return {
        "matrices": len(recording.matrices),
        "differ": int((difference != 0).sum()),
        "moved": min(more, less),
        "added": more - less,
        "recorded_total": int(recording.final.sum()),
        "replayed_total": int(found.final.sum()),
        "target": found.config.reference_rank * len(recording.matrices),
        "recorded_events": len(recording.events),
        "replayed_events": len(found.replayed),
        "oldest_scores": found.oldest,
        "recovery": {name: recovery(ranks, known, recording.start) for name, ranks in both.items()}
        if len(known) == len(planted) and known.any()
        else None,
    }


def cautions(found: WhatIf) -> list[str]:
    """What has to be known before this replay is believed, a line each."""
    lines = []
    early = [event for event in found.replayed if event.age < 0]
    if early:
        lines.append(
            f"Nothing is recorded as early as step {early[0].step}; {len(early)} "
            f"{'events rest' if len(early) > 1 else 'event rests'} on scores from up to {-early[0].age} steps later."
        )
    late = max((event.age for event in found.replayed), default=0)
    if late:
        lines.append(f"Between records the newest before counts: the oldest scores are {late} steps old.")
    if found.cut_at is not None:
        lines.append(f"The recording ends at step {found.cut_at}; nothing is replayed beyond.")
    if found.recording.given_until >= 0:
        lines.append(
            f"The run goes on from another: its events up to step {found.recording.given_until} stay as they were."
        )
    return lines


def told(result: Mapping[str, Any]) -> str:
    """`summary` in a sentence."""
    differ, matrices = result["differ"], result["matrices"]
    if not differ:
        return f"All {matrices} matrices end with the rank they had."
    parts = [f"{differ} of {matrices} matrices end with another rank"]
    if result["moved"]:
        moved = result["moved"]
        parts.append(f"{_ranks(moved)} {'moves to another matrix' if moved == 1 else 'move to other matrices'}")
    if result["added"]:
        parts.append(f"{_ranks(abs(result['added']))} {'more' if result['added'] > 0 else 'fewer'} in all")
    return "; ".join([parts[0], " and ".join(parts[1:])]) + "."


def _ranks(count: int) -> str:
    return f"{count} rank{'s' * (count != 1)}"


def matrix_name(matrix: Matrix) -> str:
    """Short, as maps label it: `L2.q`."""
    return f"L{matrix.layer}.{matrix.module}"


def named(matrices: Sequence[Matrix], chosen: Iterable[int] | None) -> str:
    """Names of the chosen matrices, the first few where they are many; a dash where there was no event."""
    if chosen is None:
        return "–"
    names = [matrix_name(matrices[index]) for index in chosen]
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more if names else "nobody"
