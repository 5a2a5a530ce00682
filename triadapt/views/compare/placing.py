"""In words: which runs placed their rank best, where the truth is known, and whether the metric says the same."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from triadapt.views.compare.moment import END, Moment
from triadapt.views.compare.table import Compared, grouped, kinds, summary_row


def placing(runs: Sequence[Compared], moment: Moment = END) -> list[str]:
    """One line on precision and metric of the groups of runs at a moment, each the mean over its seeds.

    Empty where there is nothing to hold against each other: tasks differ, nothing was planted or evaluated, or there
    is one group. Groups that placed no rank, as those without a rank of their own, are left out, of the metric too.
    """
    found: dict[str, tuple[float, float]] = {}
    groups = grouped(runs)
    for group, members in groups.items():
        rows = [summary_row(run, moment) for run in members]
        if all(row["Precision"] is not None and row["Metric"] is not None for row in rows):
            found[group] = fmean(row["Precision"] for row in rows), fmean(row["Metric"] for row in rows)
    if len(kinds(runs)) > 1 or len(found) < 2:
        return []
    record = runs[0].record
    sign = 1 if record.higher_is_better else -1
    most, best = max(value for value, _ in found.values()), max(sign * value for _, value in found.values()) * sign
    placed = [group for group, (value, _) in found.items() if f"{value:.2f}" == f"{most:.2f}"]
    scored = [group for group, (_, value) in found.items() if f"{value:.3g}" == f"{best:.3g}"]
    these = " of these" if len(found) < len(groups) else ""
    line = (
        f"Rank placed best, {moment.words()}: {_and(placed)}, with {most:.0%} of what grew, or was kept, on planted "
        f"matrices. Best {record.metric_name}{these}: {_and(scored)}, {best:.3g}."
    )
    if not set(placed) & set(scored):
        line += " The two disagree: a better metric does not show that rank sits where it is needed, nor the reverse."
    return [line]


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
