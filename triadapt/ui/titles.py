"""What runs and races are called on the pages."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from triadapt.methods.registry import METHODS
from triadapt.runs.info import BranchedFrom, RunInfo, told_changes
from triadapt.tasks.registry import KNOWN_TASKS
from triadapt.ui.fields import label
from triadapt.ui.markdown import plain as plain


def method_label(info: RunInfo) -> str:
    """Name of its method; the id where the method is not known, as of a damaged run."""
    return METHODS[info.method].label if info.method in METHODS else info.method or info.id


def made(info: RunInfo) -> str:
    """When it was made, to the second: races of one minute must have names of their own."""
    return time.strftime("%d %b %H:%M:%S", time.localtime(info.created)) if info.created else info.id[:15]


def given_name(info: RunInfo) -> str:
    """The name that somebody gave to its race; empty where it has only the one that it got by itself."""
    task, origin = KNOWN_TASKS.get(info.task), info.branched_from
    by_itself = task is not None and info.name.endswith(f" on {task.label}")
    if origin is not None:
        by_itself |= info.name.startswith(f"{method_label(info)} from step {origin.step}: ")
    return "" if by_itself else info.name


def run_title(info: RunInfo) -> str:
    """One run among those of other races."""
    return f"{method_label(info)} of {given_name(info) or made(info)}"


def race_title(infos: Sequence[RunInfo]) -> str:
    """A race in a list: when it was made, what it is called, on which task, how it stands."""
    first = infos[0]
    parts = [made(first), first.name] if first.name else [first.race or first.id]
    if (task := KNOWN_TASKS.get(first.task)) and task.label not in parts[-1]:
        parts.append(task.label)
    return " · ".join([*parts, race_state(infos)])


def race_state(infos: Sequence[RunInfo]) -> str:
    """The state that all runs share, else how many are in which."""
    counts = Counter(info.state for info in infos)
    return next(iter(counts)) if len(counts) == 1 else ", ".join(f"{count} {state}" for state, count in counts.items())


def progress(info: RunInfo) -> str:
    """How far it came."""
    return f"{info.last_step + 1} of {info.steps} steps"


def branch_line(origin: BranchedFrom, parent: RunInfo | None) -> str:
    """Where a branch left which run, and what it changed, as Markdown. A parent that is gone is told by its id."""
    what = told_changes(origin.changes, label) or "nothing changed"
    return f"{plain(run_title(parent) if parent else origin.run)} at step {origin.step}: {what}"
