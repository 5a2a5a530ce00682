"""Runs side by side: who is compared, and each run in one row of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from triadapt.methods.registry import METHODS
from triadapt.runs.info import RunInfo, told_changes
from triadapt.tasks.registry import ELSEWHERE
from triadapt.views.compare.agreement import churn, entropy
from triadapt.views.compare.configuration import SEED, Config, differing, flat, group_labels, labels, told_value
from triadapt.views.compare.loss_at_events import REACH, LossAtEvents, loss_at_events
from triadapt.views.compare.moment import END, Moment, standing
from triadapt.views.compare.record import RunRecord, same_matrices
from triadapt.views.recovery import recovery

LOSSES = 10  # recorded steps that a loss in the table is the mean of
# What each column of the summary says, for tooltips.
COLUMNS = {
    "Run": "The method, and what tells the run from the others of its method.",
    "State": "A run that has not finished is compared as far as it is recorded.",
    "Steps": "Optimizer steps done.",
    "Total rank": "Sum of the ranks of all matrices; nothing where the method has no rank of its own.",
    "Parameters": "Trainable parameters.",
    "Loss": f"Mean training loss of the last {LOSSES} recorded steps.",
    "Metric": "The newest evaluation on held-out data.",
    "Rank events": "Allocations that happened.",
    "Entropy": "How evenly the rank is spread over the matrices: 1 the same everywhere, 0 all on one.",
    "Churn": "How much the choice changes from one rank event to the next: 1 minus the Jaccard index of the two sets "
    "of chosen matrices, on average. 0: always the same, 1: always others.",
    "Coverage": "Share of the planted rank that is covered; only where the truth is known.",
    "Precision": "Share of the grown rank that sits on planted matrices; of the held rank where nothing grew. By "
    "chance it is the share of matrices that are planted.",
}  # fmt: skip
# The same of the table of losses around rank events.
EVENT_COLUMNS = {
    "Run": COLUMNS["Run"],
    "Window": "Steps on each side: a change is the mean training loss of so many steps after, less that up to then.",
    "Events": "Rank events that could be measured, with ordinary steps before and after them.",
    "At events": "Mean change at these rank events.",
    "Ordinary": f"Mean change at steps of the same phase, at most {REACH} windows away, without a rank event in their "
    "windows; before and after each event count alike.",
    "Steps": "Ordinary steps that were measured.",
    "Difference": "What rank events add to the change of ordinary steps. Above 0: the loss falls less, or rises.",
    "±": "Half the 95 % interval of the difference, over the events.",
}  # fmt: skip


DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


@dataclass(frozen=True, eq=False)
class Compared:
    """A run among others. `label` is its own; `group` that of all runs that differ from it in their seed alone;
    `place` counts the groups of one method from 0, to draw them apart."""

    info: RunInfo
    record: RunRecord
    config: Config
    label: str
    group: str
    place: int

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return int(self.config.get(SEED, 0))

    @cached_property
    def loss_at_events(self) -> LossAtEvents | str:
        """How the loss moved around its rank events, or why that cannot be told."""
        return loss_at_events(self.record)

    @property
    def colour(self) -> str:
        """That of the method."""
        spec = METHODS.get(self.info.method)
        return spec.colour if spec else "#7f7f7f"

    @property
    def dash(self) -> str:
        """That of the method, another one for each further group of it."""
        spec = METHODS.get(self.info.method)
        first = DASHES.index(spec.dash if spec else "solid")
        return DASHES[(first + 5 * self.place) % len(DASHES)]  # 5 and 6: all of them before one comes again


def side_by_side(runs: Sequence[tuple[RunInfo, RunRecord]]) -> list[Compared]:
    """The runs with names that tell them apart; those of a group together, by seed, groups in order of appearance."""
    configs = [flat(info.config) for info, _ in runs]
    own, groups = labels(configs, [info.id for info, _ in runs]), group_labels(configs)
    places: dict[str, list[str]] = {}
    found = []
    for (info, record), config, label, group in zip(runs, configs, own, groups, strict=True):
        of_method = places.setdefault(info.method, [])
        if group not in of_method:
            of_method.append(group)
        found.append(Compared(info, record, config, label, group, of_method.index(group)))
    order = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    return sorted(found, key=lambda run: (order[run.group], run.seed))


def grouped(runs: Sequence[Compared]) -> dict[str, list[Compared]]:
    """The runs by their group, in order."""
    found: dict[str, list[Compared]] = {}
    for run in runs:
        found.setdefault(run.group, []).append(run)
    return found


def kinds(runs: Sequence[Compared]) -> dict[str, list[Compared]]:
    """The runs by task, its settings and the metric, named by what tells the kinds apart: only within a kind can losses
    and metrics be held against each other."""
    settings = [
        {name: value for name, value in run.config.items() if name.startswith(f"{run.info.task}.")} for run in runs
    ]
    telling = differing(settings)
    found: dict[str, list[Compared]] = {}
    for run, values in zip(runs, settings, strict=True):
        told = [f"{name.rpartition('.')[2]}={told_value(name, values[name])}" for name in telling if name in values]
        found.setdefault(", ".join([f"{run.info.task}: {run.record.metric_name}", *told]), []).append(run)
    return found


def summary_row(run: Compared, moment: Moment = END) -> dict[str, Any]:
    """One run in numbers at a moment, by the names of `COLUMNS`; None where there is nothing to tell, which is all of
    it when the run never got there."""
    record = run.record
    at = standing(record, moment)
    if at is None:
        return {name: None for name in COLUMNS} | {"Run": run.label, "State": run.info.state}
    ranks, planted = record.ranks[at.state], record.planted
    allotted = record.allotted  # else the ranks are effective ones, which nobody allotted
    found = recovery(ranks, planted, record.ranks[0]) if planted is not None and allotted else {}
    losses = record.losses[max(0, at.losses - LOSSES) : at.losses]
    return {
        "Run": run.label,
        "State": run.info.state,
        "Steps": at.steps_done,
        "Total rank": int(ranks.sum()) if allotted else None,
        "Parameters": int(record.parameters[at.state]) or None,
        "Loss": float(losses.mean()) if losses.size else None,
        "Metric": float(record.metric[at.evaluations - 1]) if at.evaluations else None,
        "Rank events": at.state if allotted else 0,
        "Entropy": entropy(ranks) if allotted else None,
        "Churn": churn(record.chosen[: at.state]),
        "Coverage": found.get("coverage"),
        "Precision": found.get("precision"),
    }


def event_row(run: Compared) -> dict[str, Any]:
    """The loss around a run's rank events, by the names of `EVENT_COLUMNS`; `Window` holds the reason in words where it
    cannot be told."""
    found = run.loss_at_events
    if not isinstance(found, LossAtEvents):
        return {"Run": run.label, "Window": found} | {name: None for name in list(EVENT_COLUMNS)[2:]}
    return {
        "Run": run.label, "Window": found.window, "Events": found.events, "At events": found.at_events,
        "Ordinary": found.ordinary, "Steps": found.steps, "Difference": found.difference, "±": found.half_width,
    }  # fmt: skip


def difference_rows(runs: Sequence[Compared]) -> list[dict[str, str]]:
    """A row a run: its label, and in words the fields in which the runs differ, empty where it has no such field."""
    names = differing([run.config for run in runs])
    return [
        {"Run": run.label}
        | {name: told_value(name, run.config[name]) if name in run.config else "" for name in names}
        for run in runs
    ]  # fmt: skip


def cautions(runs: Sequence[Compared]) -> list[str]:
    """What has to be known before these runs are held against each other, a line each."""
    lines = []
    first = runs[0].record
    if any(not same_matrices(first, run.record) for run in runs):
        lines.append("The runs adapt different matrices; maps and agreement are compared only where they are the same.")
    if len(kinds(runs)) > 1:
        lines.append("The runs have different tasks: their losses and metrics cannot be held against each other.")
    rankless = [run.label for run in runs if not run.record.allotted]
    if rankless:
        lines.append(
            f"No rank of its own: {', '.join(rankless)}. Maps show effective ranks of dW, as last measured; total rank "
            "and all that is told of it is left out, and no budget is ever reached."
        )
    if _truths_differ(runs):
        lines.append(
            "The seed also chooses what is planted, so these runs have different right answers: maps of different "
            "seeds may well disagree."
        )
    lines += _branches(runs)
    # A log from elsewhere may hold one loss of many, and an adapter none.
    logged = [run for run in runs if run.info.task == ELSEWHERE.name and run.info.state == "finished"]
    behind = [run for run in runs if run.record.last_step + 1 < run.record.total_step]
    unfinished = [run.label for run in behind if run not in logged]
    if unfinished:
        lines.append(f"Not at their last step, compared as far as they are recorded: {', '.join(unfinished)}.")
    return lines


def _branches(runs: Sequence[Compared]) -> list[str]:
    """Which run was branched from which, so that nobody takes their common past for agreement."""
    labels = {run.info.id: run.label for run in runs}
    lines = []
    for run in runs:
        if origin := run.info.branched_from:
            what, same = told_changes(origin.changes) or "nothing changed", origin.run in labels
            lines.append(
                f"{run.label} was branched from {labels.get(origin.run, origin.run)} after step {origin.step}: {what}"
                + ("; up to there both are one run." if same else ".")
            )
    return lines


def _truths_differ(runs: Sequence[Compared]) -> bool:
    truths: list[tuple[RunRecord, Any]] = []
    for run in runs:
        planted = run.record.planted
        if planted is None:
            continue
        if any(same_matrices(run.record, other) and not np.array_equal(planted, truth) for other, truth in truths):
            return True
        truths.append((run.record, planted))
    return False
