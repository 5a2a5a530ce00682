"""`triadapt branch`."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

from triadapt.cli_train import run_to_the_end
from triadapt.config import ConfigError, set_value
from triadapt.runs.branch import make_branch, plan_branch
from triadapt.runs.changes import flat
from triadapt.runs.info import RunError, told_changes
from triadapt.runs.library import runs_folder


def branch(options: Namespace) -> int:
    """Go on from a checkpoint of a run, as a new run with the fields of `--set` changed, to its end."""
    folder = runs_folder(options.runs)
    plan = plan_branch(folder, options.run, values_of(options.set), _step(options.at))
    race = make_branch(folder, plan, options.name)
    if not options.json:
        what = told_changes(plan.changes) or "nothing changed"
        print(f"branching from {plan.parent.id} at {plan.point.label()}: {what}")
    for line in plan.warnings:
        print(f"warning: {line}", file=sys.stderr)
    return run_to_the_end(race.id, race.folders, options, resume=True)


def values_of(assignments: list[str]) -> dict[str, Any]:
    """By dotted name. Raises ConfigError with one line a wrong assignment."""
    data: dict[str, Any] = {}
    lines: list[str] = []
    for assignment in assignments:
        try:
            set_value(data, assignment)
        except ConfigError as error:
            lines += error.lines
    if lines:
        raise ConfigError(lines)
    return flat(data)


def _step(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise RunError(f"--at {text!r}: expected a step, a whole number from 0")
    return int(text)
