"""`triadapt compare`."""

from __future__ import annotations

import json
import math
from argparse import Namespace
from typing import Any

from rich.table import Table

from triadapt.cli_train import print_table
from triadapt.runs.export import plain
from triadapt.runs.info import DamagedRunError, RunError, RunInfo
from triadapt.runs.library import runs_folder
from triadapt.runs.named import named_runs
from triadapt.views.compare.agreement import agreement, pair_table
from triadapt.views.compare.configuration import agreed, differing
from triadapt.views.compare.moment import END, Moment, standing
from triadapt.views.compare.placing import placing
from triadapt.views.compare.reading import read_record
from triadapt.views.compare.record import RunRecord
from triadapt.views.compare.table import (
    COLUMNS,
    EVENT_COLUMNS,
    Compared,
    cautions,
    difference_rows,
    event_row,
    side_by_side,
    summary_row,
)

KEYS = {"±": "half_width"}  # of columns whose names make no key


def compare(options: Namespace) -> int:
    """Where the runs differ, and each in one row of numbers."""
    moment = _moment(options.at)
    runs = _compared(options)
    at = [standing(run.record, moment) for run in runs]
    there = [(run, stand.state) for run, stand in zip(runs, at, strict=True) if stand is not None]
    found = agreement([run.record for run, _ in there], [state for _, state in there])
    pairs = pair_table(found, [run.group for run, _ in there], [run.seed for run, _ in there])
    if options.json:
        ids = [run.info.id for run, _ in there]
        values = _values(runs, moment) | {"agreement": {"runs": ids, "rho": found.tolist()}, "pairs": pairs}
        print(json.dumps(plain(values), allow_nan=False))
        return 0
    _print_rows(difference_rows(runs), "where they differ" if len(runs) > 1 else "")
    print(f"the same in all: {agreed([run.config for run in runs]) or 'nothing'}\n")
    _print_rows([_texts(summary_row(run, moment)) for run in runs], f"in numbers, {moment.words()}")
    if pairs:
        print()
        _print_rows([_texts(row) for row in pairs], f"agreement of ranks, {moment.words()}")
    _print_events(runs)
    metrics = {run.record.metric_name: run.record.higher_is_better for run in runs}
    for name, higher in metrics.items():
        print(f"metric: {name}, {'higher' if higher else 'lower'} is better")
    absent = [run.label for run, stand in zip(runs, at, strict=True) if stand is None]
    if absent:
        print(f"note: never there: {', '.join(absent)}")
    for line in (*placing(runs, moment), *cautions(runs)):
        print(f"note: {line}")
    return 0


def _moment(text: str | None) -> Moment:
    if text is None:
        return END
    kind, _, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    whole = kind == "time" or number.is_integer()
    if kind not in ("step", "budget", "time") or not math.isfinite(number) or number < 0 or not whole:
        raise RunError(f"at = {text!r}: write step=N or budget=N with a whole number, or time=SECONDS")
    return Moment(kind, number)  # type: ignore[arg-type]


def _compared(options: Namespace) -> list[Compared]:
    folder = runs_folder(options.runs)
    found = {run.info().id: run for name in options.run for run in named_runs(folder, name)}
    read: list[tuple[RunInfo, RunRecord]] = []
    for run in found.values():
        info = run.info()
        if info.state == "damaged":
            raise DamagedRunError(f"{info.id} is damaged: {info.error}")
        record = read_record(run)
        if record is None:
            raise RunError(f"{info.id} is {info.state} and has recorded nothing yet; leave it out")
        read.append((info, record))
    return side_by_side(read)


def _values(runs: list[Compared], moment: Moment) -> dict[str, Any]:
    names = differing([run.config for run in runs])
    return {
        "at": {"kind": moment.kind, "value": None if moment.kind == "end" else moment.value},
        "runs": [
            {"id": run.info.id, "label": run.label, "group": run.group}
            | _keyed(summary_row(run, moment))
            | {"around_events": _keyed(event_row(run))}
            for run in runs
        ],
        "differences": {name: {run.info.id: run.config.get(name) for run in runs} for name in names},
        "notes": [*placing(runs, moment), *cautions(runs)],
    }


def _keyed(row: dict[str, Any]) -> dict[str, Any]:
    return {KEYS.get(name, name.lower().replace(" ", "_")): value for name, value in row.items() if name != "Run"}


def _print_events(runs: list[Compared]) -> None:
    rows = [event_row(run) for run in runs]
    told = [row for row in rows if row["Events"] is not None]
    print()
    if told:
        _print_rows([_texts(row) for row in told], "loss around rank events")
    for row in rows:
        if row["Events"] is None:
            print(f"loss around rank events: {row['Run']}: {row['Window']}")


def _texts(row: dict[str, Any]) -> dict[str, str]:
    return {name: _said(value) for name, value in row.items()}


def _said(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _print_rows(rows: list[dict[str, str]], title: str) -> None:
    """Columns that say nothing in any row are left out."""
    names = [name for name in rows[0] if any(row[name] for row in rows)]
    if len(names) < 2:
        return
    known = {*COLUMNS, *EVENT_COLUMNS}
    table = Table(*(name.lower() if name in known else name for name in names), box=None, header_style="bold")
    for row in rows:
        table.add_row(*(row[name] for name in names))
    print_table(table, title)
