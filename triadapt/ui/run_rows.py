"""The rows of the list of runs: a run each, but for the trials of a study, which are one row until it is opened."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from triadapt.methods.registry import METHODS
from triadapt.runs.info import RunInfo, told_changes
from triadapt.tasks.registry import KNOWN_TASKS
from triadapt.ui.fields import label
from triadapt.ui.notes import told_error
from triadapt.ui.titles import given_name, made, method_label, race_state

TITLES = (
    "Race", "Method", "State", "Steps", "Error", "Metric", "Total rank", "Task", "Made", "From", "Note", "Id",
)  # fmt: skip
# In pixels, so that how a run went is in sight on a narrow window too; the rest is a scroll away.
WIDTHS = {
    "Race": 145, "Method": 98, "State": 90, "Steps": 84, "Error": 200, "Metric": 140, "Total rank": 80, "Task": 105,
    "Made": 135, "From": 290,
}  # fmt: skip
OFTEN_EMPTY = ("Error", "From", "Note")
"""Columns that are left out while no row has anything in them."""
COLUMNS = {name: st.column_config.Column(width=width) for name, width in WIDTHS.items()}


@dataclass(frozen=True)
class Row:
    """A run; or a study, with all runs of its trials. id: of the run or of the study. study: what the study is called
    that it is, or is listed under; empty where there is none."""

    id: str
    infos: tuple[RunInfo, ...]
    study: str = ""

    @property
    def run(self) -> RunInfo | None:
        """The run that the row stands for; None for that of a study."""
        return self.infos[0] if self.infos[0].id == self.id else None


def rows_of(infos: Sequence[RunInfo], names: Mapping[str, str], opened: str = "") -> list[Row]:
    """Rows in the order of `infos`, a study where its first run stands, those of the one that is `opened` below it.

    names: of studies, by id; one that is gone is called by its id.
    """
    trials: dict[str, list[RunInfo]] = {}
    for info in infos:
        if info.study:
            trials.setdefault(info.study, []).append(info)
    found: list[Row] = []
    for info in infos:
        if not info.study:
            found.append(Row(info.id, (info,)))
        elif own := trials.pop(info.study, []):
            name = names.get(info.study) or info.study
            found.append(Row(info.study, tuple(own), name))
            if info.study == opened:
                found += [Row(trial.id, (trial,), name) for trial in own]
    return found


def cells(row: Row, known: Mapping[str, RunInfo]) -> dict[str, object]:
    """What stands in a row, by column. known: the runs in the list, by id."""
    if row.run is None:
        return _study_cells(row)
    found = _run_cells(row.run, known)
    if row.study:
        point = row.run.name.removeprefix(f"{row.study}: ").removeprefix(f"{row.run.study}: ")
        found["Race"] = f"· {point.removeprefix(f'{method_label(row.run)}, ')}"
    return found


def _study_cells(row: Row) -> dict[str, object]:
    """A study in one row: what its runs have in common, and how they stand."""
    of_runs = {info.method for info in row.infos}
    task = KNOWN_TASKS.get(row.infos[0].task)
    first = min(info.created for info in row.infos)
    return {
        "Race": f"Study: {row.study}",
        "Method": ", ".join(spec.label for name, spec in METHODS.items() if name in of_runs),
        "State": race_state(row.infos),
        "Steps": f"{len(row.infos)} runs",
        "Task": task.label if task else row.infos[0].task,
        "Made": time.strftime("%Y-%m-%d %H:%M", time.localtime(first)) if first else "",
        "Id": row.id,
    }


def _run_cells(info: RunInfo, parents: Mapping[str, RunInfo]) -> dict[str, object]:
    method, task = METHODS.get(info.method), KNOWN_TASKS.get(info.task)
    return {
        "Race": given_name(info) or made(info),
        "Method": method.label if method else info.method,
        "State": info.state,
        "Metric": "" if info.metric_value is None else f"{info.metric} {info.metric_value:.4g}",
        "Total rank": info.told_rank(" / "),
        "Steps": f"{info.last_step + 1} / {info.steps}" if info.steps and not info.without_steps else "",
        "Task": task.label if task else info.task,
        "Made": time.strftime("%Y-%m-%d %H:%M", time.localtime(info.created)) if info.created else "",
        "From": _from(info, parents),
        "Note": info.note,
        "Error": told_error(info),
        "Id": info.id,
    }


def _from(info: RunInfo, known: Mapping[str, RunInfo]) -> str:
    """The run it comes from, by what it is called in this list; by its id where it is not here."""
    origin = info.branched_from
    if origin is None or origin.run not in known:
        return info.parent
    parent = known[origin.run]
    what = told_changes(origin.changes, label) or "nothing changed"
    return f"{given_name(parent) or made(parent)}, step {origin.step}: {what}"
