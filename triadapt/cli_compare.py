"""`triadapt compare`."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

from rich.table import Table

from triadapt.cli_train import print_table
from triadapt.runs.export import plain
from triadapt.runs.info import DamagedRunError, RunError
from triadapt.runs.library import find, runs_folder
from triadapt.runs.reader import RunReader
from triadapt.views.compare.agreement import agreement, pair_table
from triadapt.views.compare.configuration import agreed, differing
from triadapt.views.compare.record import KINDS, record_of
from triadapt.views.compare.table import COLUMNS, Compared, cautions, difference_rows, side_by_side, summary_row


def compare(options: Namespace) -> int:
    """Where the runs differ, and each in one row of numbers."""
    runs = _compared(options)
    found = agreement([run.record for run in runs])
    pairs = pair_table(found, [run.group for run in runs], [run.seed for run in runs])
    if options.json:
        print(json.dumps(plain(_values(runs, found.tolist(), pairs)), allow_nan=False))
        return 0
    _print_rows(difference_rows(runs), "where they differ" if len(runs) > 1 else "")
    print(f"the same in all: {agreed([run.config for run in runs]) or 'nothing'}\n")
    _print_rows([{name: _said(value) for name, value in summary_row(run).items()} for run in runs], "in numbers")
    if pairs:
        print()
        _print_rows([{name: _said(value) for name, value in row.items()} for row in pairs], "agreement of final ranks")
    metrics = {run.record.metric_name: run.record.higher_is_better for run in runs}
    for name, higher in metrics.items():
        print(f"metric: {name}, {'higher' if higher else 'lower'} is better")
    for line in cautions(runs):
        print(f"note: {line}")
    return 0


def _compared(options: Namespace) -> list[Compared]:
    folder = runs_folder(options.runs)
    infos = {info.id: info for name in options.run for info in find(folder, name)}
    read = []
    for info in infos.values():
        if info.state == "damaged":
            raise DamagedRunError(f"{info.id} is damaged: {info.error}")
        record = record_of(row.stamped() for row in RunReader(folder / info.id).rows() if row.kind in KINDS)
        if record is None:
            raise RunError(f"{info.id} is {info.state} and has recorded nothing yet; leave it out")
        read.append((info, record))
    return side_by_side(read)


def _values(runs: list[Compared], correlations: list[list[float]], pairs: list[dict[str, Any]]) -> dict[str, Any]:
    names = differing([run.config for run in runs])
    return {
        "runs": [
            {"id": run.info.id, "label": run.label, "group": run.group}
            | {name.lower().replace(" ", "_"): value for name, value in summary_row(run).items() if name != "Run"}
            for run in runs
        ],
        "differences": {name: {run.info.id: run.config.get(name) for run in runs} for name in names},
        "agreement": correlations,
        "pairs": pairs,
        "notes": cautions(runs),
    }


def _said(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _print_rows(rows: list[dict[str, str]], title: str) -> None:
    """Columns that say nothing in any row are left out."""
    names = [name for name in rows[0] if any(row[name] for row in rows)]
    if len(names) < 2:
        return
    table = Table(*(name.lower() if name in COLUMNS else name for name in names), box=None, header_style="bold")
    for row in rows:
        table.add_row(*(row[name] for name in names))
    print_table(table, title)
