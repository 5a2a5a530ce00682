"""`triadapt sweep` and `triadapt studies`."""

from __future__ import annotations

import json
import signal
import sys
import types
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from triadapt.cli_train import print_table
from triadapt.config import ConfigError, load_toml, set_value
from triadapt.runs.export import plain
from triadapt.runs.info import RunError
from triadapt.runs.library import runs_folder
from triadapt.sweeps.config import SweepConfig, parse_sweep
from triadapt.sweeps.library import change_study, find_study, list_studies, new_study
from triadapt.sweeps.record import StudyRecord, TrialRecord, read_study
from triadapt.sweeps.space import plan, told
from triadapt.sweeps.state import read_config
from triadapt.views.sweep.points import PointRow, best_first, points_table
from triadapt.views.sweep.recommendation import recommend


def sweep(options: Namespace) -> int:
    """Run a study, new or resumed, in this process and its workers."""
    runs = runs_folder(options.runs)
    if options.resume is None:
        if options.config is None:
            raise RunError("sweep needs CONFIG.toml, or --resume STUDY")
        config = parse_sweep(_changed(load_toml(Path(options.config)), options))
        for line in plan(config).left_out:
            print(f"left out: {line}", file=sys.stderr)
        folder = new_study(runs, config)
    else:
        if options.config is not None:
            raise RunError("--resume goes on with the study's own configuration; leave out CONFIG.toml and use --set")
        folder = find_study(runs, options.resume)
        config = parse_sweep(_changed(read_config(folder).as_dict(), options))
        if config != read_config(folder):
            change_study(folder, config)
    return _run(folder, config, options)


def _changed(data: dict[str, Any], options: Namespace) -> dict[str, Any]:
    """The values with the options' on top. Raises ConfigError with one line a wrong assignment."""
    lines: list[str] = []
    given = [f"{name}={value}" for name, value in (("on", options.on), ("workers", options.workers)) if value]
    given += [f"name={json.dumps(options.name)}"] if options.name else []
    for assignment in [*options.set, *given]:
        try:
            set_value(data, assignment)
        except ConfigError as error:
            lines += error.lines
    if lines:
        raise ConfigError(lines)
    return data


def _run(folder: Path, config: SweepConfig, options: Namespace) -> int:
    with _Progress(shown=not options.json) as progress:
        # Only here, as it imports Optuna.
        coordinator = import_module("triadapt.sweeps.coordinator").Coordinator(
            folder, options.sessions, on_change=progress.show
        )
        if not options.json:
            progress.say(f"study {folder.name}")
        with _stop_on_signals(coordinator):
            info = coordinator.run()
    record = read_study(folder)
    if options.json:
        print(json.dumps(plain(values(record)), allow_nan=False))
    else:
        print_study(record)
    if info.state == "failed":
        print(f"triadapt: {info.message}", file=sys.stderr)
        return 1
    if info.state == "stopped":
        return 130
    return 0 if any(trial.state == "complete" for trial in record.trials) else 1


@contextmanager
def _stop_on_signals(coordinator: Any) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM) ends the running trials with checkpoints; the second at once."""

    def stop(number: int, frame: types.FrameType | None) -> None:
        signal.signal(number, signal.default_int_handler)
        name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        coordinator.stop(f"stopped by {name}")

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Progress:
    """A bar on a terminal; trials that failed on stderr wherever it goes."""

    def __init__(self, *, shown: bool) -> None:
        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("trials"),
            TimeElapsedColumn(), TimeRemainingColumn(), console=self._console,
            disable=not (shown and self._console.is_terminal), transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task("starting", total=None)
        self._told: set[int] | None = None

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, record: StudyRecord) -> None:
        failed = {trial.number: trial for trial in record.trials if trial.state == "failed"}
        if self._told is not None:
            for number in failed.keys() - self._told:
                self.say(f"trial {number} failed ({_words(failed[number])}): {failed[number].error}")
        self._told = set(failed)
        done = sum(trial.ended for trial in record.trials)
        best = recommend(record).best if done else None
        words = f"best so far: {best.label}" if best is not None else record.info.state
        self._bar.update(self._task, description=words, completed=done, total=record.info.trials)

    def say(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _words(trial: TrialRecord) -> str:
    return f"{told(trial.point)}, seed {trial.seed}"


def studies(options: Namespace) -> int:
    """List the studies, or show one."""
    runs = runs_folder(options.runs)
    if options.study is not None:
        record = read_study(find_study(runs, options.study))
        if options.json:
            print(json.dumps(plain(values(record)), allow_nan=False))
        else:
            print_study(record)
        return 0
    infos = list_studies(runs)
    if options.json:
        print(json.dumps(plain([info.as_dict() for info in infos]), allow_nan=False))
        return 0
    if not infos:
        print(f"no studies in {runs}; start one with `triadapt sweep`")
        return 0
    table = Table("study", "name", "state", "trials", "", box=None, header_style="bold")
    for info in infos:
        done = sum(info.counts.get(state, 0) for state in ("complete", "pruned", "failed"))
        table.add_row(info.id, info.name, info.state, f"{done}/{info.trials}", info.message)
    print_table(table)
    return 0


def print_study(record: StudyRecord) -> None:
    """The points, the best first, and what can be said of them."""
    info = record.info
    table = Table(*_columns(record), box=None, header_style="bold")
    for row in best_first(points_table(record), higher_is_better=info.higher_is_better):
        table.add_row(*_cells(record, row))
    state = info.message if info.message.startswith(info.state) else ": ".join(filter(None, [info.state, info.message]))
    print_table(table, f"{info.id}: {info.name} ({state})")
    for trial in record.trials:
        if trial.state == "failed":
            print(f"trial {trial.number} failed ({_words(trial)}): {trial.error}")
    print(recommend(record).text)
    if info.resumable:
        print(f"go on with: triadapt sweep --resume {info.id}")


def _columns(record: StudyRecord) -> list[str]:
    return [*record.fields, record.info.metric, "95 % interval", "seeds", "state", "parameters", "seconds"]


def _cells(record: StudyRecord, row: PointRow) -> list[str]:
    interval = "" if row.low is None or row.high is None else f"{row.low:.4g} to {row.high:.4g}"
    return [
        *(_value(row.point.get(name, "")) for name in record.fields),
        "" if row.mean is None else f"{row.mean:.4g}" if row.counts else f"({row.mean:.4g})",
        interval,
        row.standing if row.broken else f"{len(row.values)}/{sum(row.states.values())}",
        row.state,
        "" if row.parameters is None else f"{row.parameters:.0f}",
        "" if row.seconds is None else f"{row.seconds:.1f}",
    ]


def _value(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def values(record: StudyRecord) -> dict[str, Any]:
    """A study as JSON values: how it stands, its points, its trials and the recommendation."""
    found = recommend(record)
    return {
        "study": record.info.as_dict(),
        "config": record.config.as_dict(),
        "points": [
            {
                **row.__dict__,
                "counts": row.counts,
                "state": row.state,
                "values": {str(seed): value for seed, value in row.values.items()},
            }
            for row in points_table(record)
        ],
        "trials": [trial.__dict__ for trial in record.trials],
        "recommendation": {
            "text": found.text,
            "clear": found.clear,
            "best": None if found.best is None else found.best.point,
            "mean": found.mean,
            "low": found.low,
            "high": found.high,
            "seeds": found.seeds,
            "tied": [rival.row.point for rival in found.tied],
            "pending": found.pending,
            "left_out": found.left_out,
        },
    }
