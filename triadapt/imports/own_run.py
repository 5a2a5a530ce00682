"""What came from other code as a run of the store."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triadapt.config import RunConfig, parse_config
from triadapt.events import Event, Matrix, Stamped, Started, Warned
from triadapt.methods.registry import METHODS
from triadapt.runs.event_checks import check_events
from triadapt.runs.info import RunError, RunInfo
from triadapt.runs.library import import_run_group, tidy_name
from triadapt.tasks.registry import ELSEWHERE

MOST_MATRICES = 20_000
MOST_STEPS = 1_000_000
LONGEST_PATH = 300


@dataclass(frozen=True)
class ForeignRun:
    """A training from elsewhere: its method, what is known of it, and its events, each with its time in seconds.

    known: fields of `RunConfig` that its files tell; those that they do not tell stay unset. part: which of several
    trainings it is that came together.
    """

    method: str
    name: str
    created: float
    known: Mapping[str, Any]
    events: Sequence[tuple[float, Event]]
    part: str = ""


def store_runs(folder: Path, runs: Sequence[ForeignRun], source: str) -> list[str]:
    """Make run folders of `runs`, as one new race. source: name of the file or folder, for the lineage. Returns the
    ids. Raises RunError, ConfigError, OSError; nothing is left behind then."""
    group = []
    for run in runs:
        config = foreign_config(run.method, run.known)
        stamped = [Stamped(seq, time, event) for seq, (time, event) in enumerate(run.events, 1)]
        try:
            check_events([row.event for row in stamped])
        except ValueError as error:
            raise RunError(f"{source}: {' '.join(str(error).split())}") from error
        info = RunInfo(
            id=tidy_name(run.part), name=tidy_name(run.name), method=run.method, task=ELSEWHERE.name, state="finished",
            created=run.created,
        )  # fmt: skip
        group.append((info, config, stamped))
    return import_run_group(folder, group, tidy_name(source)).run_ids


def foreign_config(method: str, known: Mapping[str, Any]) -> RunConfig:
    """The configuration of a run from elsewhere: what is known, and nothing else set. Raises ConfigError."""
    return parse_config({**known, "method": method, "task": ELSEWHERE.name})


def started(
    method: str,
    known: Mapping[str, Any],
    matrices: list[Matrix],
    *,
    start_total: int,
    planned: list[int],
    metric: str = "loss",
    higher_is_better: bool = False,
    target_total: int = 0,
    trainable_parameters: int = 0,
    core_kind: str = "none",
) -> Started:
    """The first event of such a run."""
    config = foreign_config(method, known)
    about = known.get(ELSEWHERE.name, {})
    return Started(
        step=0,
        config=config.as_dict(),
        matrices=matrices,
        method=method,
        task=ELSEWHERE.name,
        allocation=METHODS[method].allocation,
        core_kind=core_kind,
        metric=metric,
        higher_is_better=higher_is_better,
        total_step=config.steps,
        start_total_rank=start_total,
        target_total_rank=target_total,
        trainable_parameters=trainable_parameters,
        planned=planned,
        device="",
        data={name: value for name, value in about.items() if value},
    )


def incomplete(message: str, step: int = 0) -> Warned:
    """A note on what the files do not tell."""
    return Warned(step, "imported", message, "")


def checked_path(path: str, source: str) -> str:
    """The path of an adapted layer, if it can be one. Raises RunError."""
    if not path or len(path) > LONGEST_PATH or not all(c.isalnum() or c in "_-./:" for c in path) or ".." in path:
        raise RunError(f"{source}: matrix {path[:80]!r}: not the path of a layer in a model")
    return path


def checked_rank(value: float, what: str) -> int:
    """A rank as stored. Raises RunError for what is no whole number from 0 to 65535."""
    if not (math.isfinite(value) and value == int(value) and 0 <= value < 2**16):
        raise RunError(f"{what} = {value:g}: a rank is a whole number from 0 to {2**16 - 1}")
    return int(value)
