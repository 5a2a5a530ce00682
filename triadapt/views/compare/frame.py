"""The message from which the browser draws a comparison.

It holds every state of every run, so that moving through steps, budgets or seconds asks the server for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triadapt.methods.registry import METHODS
from triadapt.views.board_parts import matrix_table
from triadapt.views.compare.configuration import agreed, differing
from triadapt.views.compare.interval import T_975, T_NORMAL
from triadapt.views.compare.record import RunRecord, same_matrices
from triadapt.views.compare.table import COLUMNS, EVENT_COLUMNS, LOSSES, Compared, difference_rows, event_row, kinds
from triadapt.views.frames import pack

MOST_LOSSES = 24_000  # of all runs together
FEWEST_LOSSES = 400  # of one run
CLOCK_MARKS = 200


def compare_frame(runs: Sequence[Compared]) -> bytes:
    """Bytes of the message.

    Ranks travel as those before the first event and what each event changed; long lists of losses as means over equal
    numbers of steps, each at the last of its steps.
    """
    groups = list(dict.fromkeys(run.group for run in runs))
    of_kind = kinds(runs)
    tables: list[tuple[RunRecord, Any]] = []
    limit = max(FEWEST_LOSSES, MOST_LOSSES // max(1, len(runs)))
    drawn = []
    for run in runs:
        table = matrix_table(run.record.matrices)
        planted = table.pop("planted")  # may differ by seed, while the matrices are the same
        at = next((i for i, (other, _) in enumerate(tables) if same_matrices(other, run.record)), len(tables))
        if at == len(tables):
            tables.append((run.record, table))
        drawn.append(
            {
                "id": run.info.id, "label": run.label, "name": run.info.name, "group": groups.index(run.group),
                "place": run.place, "method": METHODS[run.info.method].label if run.info.method in METHODS else "",
                "colour": run.colour, "dash": run.dash, "seed": run.seed, "state": run.info.state,
                "kind": next(i for i, members in enumerate(of_kind.values()) if run in members),
                "matrices": at, "planted": np.array(planted, np.uint16), "around": event_row(run),
                **_recorded(run.record, limit),
            }
        )  # fmt: skip
    configs = [run.config for run in runs]
    return pack(
        {
            "v": 1, "runs": drawn, "groups": groups, "matrices": [table for _, table in tables],
            "kinds": [
                {"name": name, "metric": members[0].record.metric_name, "higher": members[0].record.higher_is_better}
                for name, members in of_kind.items()
            ],
            "columns": COLUMNS, "event_columns": EVENT_COLUMNS, "losses": LOSSES,
            "fields": differing(configs), "configurations": difference_rows(runs), "agreed": agreed(configs),
            "t975": [*T_975, T_NORMAL],
        }
    )  # fmt: skip


def _recorded(record: RunRecord, limit: int) -> dict[str, Any]:
    marks = np.unique(np.linspace(0, max(0, record.steps.size - 1), CLOCK_MARKS).round().astype(int))
    marks = marks[: record.steps.size]
    return {
        "total_step": record.total_step,
        "rank_kind": record.rank_kind,
        "target": record.target,
        "events": record.state_steps[1:].astype(np.uint32),
        "event_times": record.state_times[1:],
        "ranks": rank_changes(record.ranks),
        "parameters": record.parameters.astype(np.uint32),
        "chosen": np.nonzero(record.chosen)[1].astype(np.uint16),
        "chosen_count": record.chosen.sum(axis=1).astype(np.uint16),
        "losses": binned(record.steps, record.losses, limit),
        "clock": {"t": record.steps[marks].astype(np.uint32), "time": record.times[marks]},
        "last_time": record.last_time,
        "evaluations": {
            "t": record.eval_steps.astype(np.uint32), "time": record.eval_times, "value": _single(record.metric),
        },
    }  # fmt: skip


def rank_changes(ranks: NDArray[np.int64]) -> dict[str, Any]:
    """`ranks` `(s, n)` as the `first` row, then for each further row how many ranks it `changes`, `where` and to what
    `rank`."""
    moved = ranks[1:] != ranks[:-1]
    return {
        "first": ranks[0].astype(np.uint16),
        "changes": moved.sum(axis=1).astype(np.uint16),
        "where": np.nonzero(moved)[1].astype(np.uint16),
        "rank": ranks[1:][moved].astype(np.uint16),
    }


def binned(steps: NDArray[np.int64], values: NDArray[np.float64], limit: int) -> dict[str, Any]:
    """At most `limit` points: as they are, or means over equal numbers of recorded steps, each at its last step. `over`
    says how many."""
    size = max(1, -(-len(steps) // limit))
    starts = np.arange(0, len(steps), size)
    counts = np.minimum(size, len(steps) - starts)
    means = np.add.reduceat(values, starts) / counts if len(steps) else values
    return {"t": steps[starts + counts - 1].astype(np.uint32), "value": _single(means), "over": size}


def _single(values: NDArray[np.float64]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return values.astype(np.float32)
