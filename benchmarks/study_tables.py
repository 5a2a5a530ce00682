"""A study as tables for a document: its points, and what each value of a field changes, paired by seed."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.tables import Cell, Table
from triadapt.runs.info import RunError, Scalar
from triadapt.runs.library import runs_folder
from triadapt.sweeps.library import find_study
from triadapt.sweeps.record import Point, StudyRecord, read_study
from triadapt.sweeps.space import key, told
from triadapt.views.sweep.points import best_first, points_table
from triadapt.views.sweep.student import interval


def points(record: StudyRecord) -> Table:
    """One row a point, the best first."""
    rows: list[tuple[Cell, ...]] = []
    for row in best_first(points_table(record), higher_is_better=record.info.higher_is_better):
        values = [row.values[seed] for seed in record.config.seed_list if seed in row.values]
        spread = None if row.low is None or row.high is None else f"{row.low:.3f} to {row.high:.3f}"
        mean = None if row.mean is None else f"{row.mean:.3f}"
        size = None if row.parameters is None else round(row.parameters)
        each = ", ".join(f"{value:.3f}" for value in values)
        rows.append((*(_label(name, row.point) for name in record.fields), mean, spread, each, size))
    columns = (*record.fields, record.info.metric, "95 % interval", "each seed", "parameters")
    return Table(record.info.name, columns, rows)


def effects(record: StudyRecord) -> Table:
    """What each value of a swept field changes against the first one listed. Where the method is swept too, it is
    compared in every point, and the other fields by method."""
    methods: list[Point] = [{"method": method} for method in _listed(record, "method")] or [{}]
    rows: list[tuple[Cell, ...]] = []
    for name in record.fields:
        first, *others = _listed(record, name)
        for value in others:
            label = f"{told({name: value})} less {told({name: first})}"
            wheres = _rest(record, name) if name == "method" else methods
            if len(wheres) > 1 and name == "method":
                rows.append((label, "all", *_shown(differences(record, name, value, first, {}))))
            for where in wheres:
                rows.append((label, told(where) or "all", *_shown(differences(record, name, value, first, where))))
    note = (
        f"Differences of the {record.info.metric} on the same seed, meaned over the points that agree in all else. In "
        f"brackets: 95 % t intervals over seeds, none of them corrected for the number of rows."
    )
    title = f"{record.info.name}: paired differences"
    return Table(title, ("what", "where", f"{record.info.metric}, difference", "seeds"), rows, [note])


def differences(record: StudyRecord, name: str, value: Scalar, reference: Scalar, where: Point) -> list[float]:
    """By seed: `name` at `value` less `name` at `reference`, as a mean over the points that have `where` in them. Only
    seeds with which all of them are complete."""
    by_point = {key(row.point): row for row in points_table(record)}
    pairs = []
    for row in by_point.values():
        other = by_point.get(key({**row.point, name: reference}))
        if row.point.get(name) == value and where.items() <= row.point.items() and other is not None:
            pairs.append((row.values, other.values))
    seeds = [seed for seed in record.config.seed_list if pairs and all(seed in a and seed in b for a, b in pairs)]
    return [math.fsum(a[seed] - b[seed] for a, b in pairs) / len(pairs) for seed in seeds]


def _listed(record: StudyRecord, name: str) -> tuple[Scalar, ...]:
    """Values of a field in the order in which the points have them."""
    return tuple(dict.fromkeys(row.point[name] for row in points_table(record) if name in row.point))


def _rest(record: StudyRecord, name: str) -> list[Point]:
    """The points without one field, each once."""
    rests = [{other: row.point[other] for other in row.point if other != name} for row in points_table(record)]
    return list({key(rest): rest for rest in rests}.values())


def _label(name: str, point: Point) -> Cell:
    if name not in point:
        return None
    return told({name: point[name]}).rpartition(" = ")[2]


def _shown(values: Sequence[float]) -> tuple[Cell, Cell]:
    if not values:
        return None, 0
    mean, spread = math.fsum(values) / len(values), interval(list(values))
    return f"{mean:+.3f}" + ("" if spread is None else f" [{spread[1]:+.3f}, {spread[2]:+.3f}]"), len(values)


def main() -> int:
    """Print both tables in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.study_tables", description=__doc__.splitlines()[0])
    parser.add_argument("study", help="id of a study")
    parser.add_argument("--runs", type=Path, metavar="DIR", help="where runs live; default $TRIADAPT_RUNS, else ./runs")
    options = parser.parse_args()
    try:
        record = read_study(find_study(runs_folder(options.runs), options.study))
    except RunError as error:
        print(f"benchmarks.study_tables: {error}", file=sys.stderr)
        return 2
    print("\n\n".join(table.markdown() for table in (points(record), effects(record))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
