"""Tables of the what-if benchmark: shares placed alike, over recorded runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from benchmarks.evidence_stats import interval
from benchmarks.tables import Cell, Table
from triadapt.methods.registry import METHODS

Line = dict[str, Any]
COMMAND = "python -m benchmarks.what_if"


def _mean(values: Iterable[float | None]) -> float:
    """Of what is there."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else float("nan")


def _over_pairs(name: str) -> Callable[[Line], float]:
    return lambda line: _mean(pair[name] for pair in line["pairs"])


def _spread(values: Sequence[float]) -> str:
    """Mean over recorded runs in %, with its interval."""
    mean, low, high = (100 * value for value in interval([value for value in values if value == value]))
    return f"{mean:.0f} [{low:.0f}, {high:.0f}]" if low == low else f"{mean:.0f}"


def tables(lines: Sequence[Line]) -> list[Table]:
    """By method, and by what was changed."""
    return [_by_method(lines), _by_change(lines)] if lines else []


def _by_method(lines: Sequence[Line]) -> Table:
    """A column a method, a row a figure."""
    methods = _methods(lines)
    columns = [_column(ours) for ours in methods.values()]
    rows = [(name, *(column[name] for column in columns)) for name in columns[0]]
    return Table(
        "Rank placed alike, in %, by method",
        ("", *(METHODS[method].label for method in methods)),
        rows,
        [
            "Share of the rank that moved, given or taken, that guess and real run moved on the same matrices: means "
            "over recorded runs, of each the mean over its changes, with 95 % t intervals.",
        ],
    )


def _column(lines: Sequence[Line]) -> dict[str, Cell]:
    replayed, best = (list(map(_over_pairs(name), lines)) for name in ("replayed", "stretched"))
    difference = [a - b for a, b in zip(replayed, best, strict=True)]

    def percent(values: Iterable[float | None]) -> str:
        return f"{100 * _mean(values):.0f}"

    return {
        "recorded runs": len(lines),
        "changed schedules": sum(len(line["pairs"]) for line in lines),
        "**replay**": f"**{_spread(replayed)}**",
        "replay on scores as recorded, uncorrected": percent(map(_over_pairs("uncorrected"), lines)),
        "the recorded ranks as they are": percent(map(_over_pairs("unchanged"), lines)),
        "the recorded ranks, stretched to the real total": percent(best),
        "chance": percent(map(_over_pairs("chance"), lines)),
        "replay less stretched, in points": _spread(difference),
        "the recorded run beside itself, learning rate 1 % higher": percent(line["again"] for line in lines),
        "the recorded run beside itself, another seed and planted truth": percent(line["elsewhere"] for line in lines),
        "replay: events alike": percent(map(_over_pairs("events"), lines)),
        "the recorded events as they are": percent(map(_over_pairs("unchanged_events"), lines)),
        "replay: matrices with the real rank": percent(map(_over_pairs("matrices"), lines)),
        "replay: Spearman's ρ of the final ranks, x 100": percent(map(_over_pairs("correlation"), lines)),
        "replays under their own schedule that are exact": f"{sum(line['exact'] for line in lines)} of {len(lines)}",
    }


def _by_change(lines: Sequence[Line]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for method, ours in _methods(lines).items():
        pairs = [pair for line in ours for pair in line["pairs"]]
        for kind in sorted({pair["kind"] for pair in pairs}):
            these = [pair for pair in pairs if pair["kind"] == kind]
            names = ("replayed", "uncorrected", "unchanged", "stretched", "chance")
            shares = (f"{100 * _mean(pair[name] for pair in these):.0f}" for name in names)
            events = (f"{100 * _mean(pair[name] for pair in these):.0f}" for name in ("events", "unchanged_events"))
            rows.append((f"{METHODS[method].label}, {kind}", len(these), *shares, *events))
    return Table(
        "Rank placed alike, in %, by what was changed",
        (
            "method, change", "pairs", "replay", "scores uncorrected", "recorded ranks", "stretched", "chance",
            "events alike, replay", "events alike, recorded",
        ),
        rows,
    )  # fmt: skip


def _methods(lines: Sequence[Line]) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {name: [] for name in METHODS if METHODS[name].replayed}
    for line in lines:
        found[line["method"]].append(line)
    return {name: ours for name, ours in found.items() if ours}


def shipped(lines: Sequence[Line]) -> dict[str, Any]:
    """What the app shows, by method."""
    methods = {}
    for method, ours in _methods(lines).items():
        methods[method] = {
            "runs": len(ours),
            "pairs": sum(len(line["pairs"]) for line in ours),
            "placed": [round(value, 4) for value in interval(list(map(_over_pairs("replayed"), ours)))],
            "stretched": round(_mean(map(_over_pairs("stretched"), ours)), 4),
            "chance": round(_mean(map(_over_pairs("chance"), ours)), 4),
        }
    return {"command": COMMAND, "methods": methods}
