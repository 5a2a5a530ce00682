"""`triadapt train`."""

from __future__ import annotations

import json
import queue
import signal
import sys
import types
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from triadapt.config import ConfigError, RunConfig, data_problems, load_toml, parse_config, set_value
from triadapt.events import Event, Failed, Warned
from triadapt.runs.export import plain
from triadapt.runs.info import RunError
from triadapt.runs.library import find, new_race, runs_folder
from triadapt.runs.reader import RunReader
from triadapt.runs.summary import summary
from triadapt.workers import lockstep
from triadapt.workers.sessions import load

DEFAULT_METHOD = "triadaptlora"


def configs_of(options: Namespace) -> list[RunConfig]:
    """The configurations that the arguments name, one a method. Raises ConfigError with every wrong field once."""
    data: dict[str, Any] = {"method": DEFAULT_METHOD}
    if options.config is not None:
        data |= load_toml(Path(options.config))
    if options.task is not None:
        data["task"] = options.task
    for field in ("steps", "seed"):
        text = getattr(options, field)
        if text is not None:
            set_value(data, f"{field}={text}")
    lines: list[str] = []
    for assignment in options.set:
        try:
            set_value(data, assignment)
        except ConfigError as error:
            lines += error.lines
    methods = [str(data["method"])] if options.method is None else [m.strip() for m in options.method.split(",")]
    configs = []
    for method in methods:
        try:
            configs.append(parse_config({**data, "method": method}))
        except ConfigError as error:
            lines += error.lines
    lines += [f"method = {m!r}: named twice in --method" for m in dict.fromkeys(methods) if methods.count(m) > 1]
    if lines:
        raise ConfigError(list(dict.fromkeys(lines)))
    return configs


def train(options: Namespace) -> int:
    """Train in this process, with a progress bar on a terminal."""
    folder = runs_folder(options.runs)
    if options.resume is None:
        configs = configs_of(options)
        if lines := data_problems(configs[0]):
            raise ConfigError(lines)
        race = new_race(folder, configs, options.name)
        race_id, folders = race.id, race.folders
    else:
        race_id, folders = _resumed(folder, options)
    return run_to_the_end(race_id, folders, options, resume=options.resume is not None)


def run_to_the_end(race_id: str, folders: list[Path], options: Namespace, *, resume: bool) -> int:
    """Train run folders in this process and print what came of them. Returns the exit code."""
    commands: queue.SimpleQueue[lockstep.Command] = queue.SimpleQueue()
    with _stop_on_signals(commands), _Progress(folders, shown=not options.json) as progress:
        loop = lockstep.Lockstep(
            folders,
            load(options.sessions),
            resume=resume,
            commands=commands,
            report=progress.report,
            on_event=progress.on_event,
        )
        states = loop.run()
    summaries = [summary(RunReader(place)) for place in folders]
    if options.json:
        print(json.dumps(plain({"race": race_id, "runs": summaries}), allow_nan=False))
    else:
        _print_summaries(race_id, summaries)
    if "failed" in states.values():
        return 1
    return 130 if "stopped" in states.values() else 0


def _resumed(folder: Path, options: Namespace) -> tuple[str, list[Path]]:
    given = [name for name in ("config", "method", "task", "steps", "seed", "name") if getattr(options, name)]
    if given or options.set:
        wrong = ", ".join("CONFIG.toml" if name == "config" else f"--{name}" for name in given or ["set"])
        raise RunError(f"--resume goes on with the run's own configuration; leave out {wrong}")
    infos = find(folder, options.resume)
    ready = [info for info in infos if info.resumable]
    if not ready:
        raise RunError(f"nothing to resume: {', '.join(f'{info.id} is {info.state}' for info in infos)}")
    return ready[0].race, [folder / info.id for info in ready]


@contextmanager
def _stop_on_signals(commands: queue.SimpleQueue[lockstep.Command]) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM) stops between two steps, with a checkpoint; the second at once."""

    def stop(number: int, frame: types.FrameType | None) -> None:
        signal.signal(number, signal.default_int_handler)
        name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        commands.put(lockstep.Command("stop", f"stopped by {name}"))

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Progress:
    """A bar on a terminal, warnings and failures on stderr wherever they go."""

    def __init__(self, folders: list[Path], *, shown: bool) -> None:
        self._names = [folder.name for folder in folders]
        self._console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(), console=self._console, disable=not (shown and self._console.is_terminal),
            transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task("starting", total=None, speed="")

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def report(self, progress: lockstep.Progress) -> None:
        speed = "" if progress.speed is None else f"{progress.speed:.0f} st/s"
        self._bar.update(
            self._task, description=progress.message or "training", completed=progress.step, total=progress.steps,
            speed=speed,
        )  # fmt: skip

    def on_event(self, index: int, event: Event) -> None:
        if isinstance(event, Warned):
            self._say(index, f"warning: {event.message}" + (f"; {event.advice}" if event.advice else ""))
        elif isinstance(event, Failed):
            self._say(index, f"failed: {event.error}")

    def _say(self, index: int, line: str) -> None:
        self._console.print(f"{self._names[index]}: {line}", markup=False, highlight=False, soft_wrap=True)


def _print_summaries(race: str, summaries: list[dict[str, Any]]) -> None:
    table = Table("run", "state", "total rank", "metric", "steps/s", box=None, header_style="bold")
    for run in summaries:
        ranks = "" if run["total_rank"] is None else f"{run['total_rank']} of {run['target_total_rank']}"
        metrics = ", ".join(f"{name} {value:.4g}" for name, value in run["metrics"].items())
        speed = "" if run["steps_per_second"] is None else f"{run['steps_per_second']:.1f}"
        table.add_row(run["id"], run["state"], ranks, metrics, speed)
    print_table(table, f"race {race}")


def print_table(table: Table, title: str = "") -> None:
    """A table on stdout; as wide as it needs when piped."""
    # No markup: names and errors are the user's, and may hold brackets.
    terminal = Console(file=sys.stdout, markup=False)
    console = terminal if terminal.is_terminal else Console(file=sys.stdout, width=400, markup=False)
    if title:
        console.print(title, markup=False, highlight=False)
    if table.row_count:
        console.print(table, highlight=False)
