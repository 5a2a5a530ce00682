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
from triadapt.recipe import Recipe, read_recipe
from triadapt.runs.export import plain
from triadapt.runs.info import RunError, told_rank
from triadapt.runs.library import find, new_race, runs_folder
from triadapt.runs.reader import RunReader
from triadapt.runs.summary import summary
from triadapt.workers import lockstep
from triadapt.workers.sessions import load

DEFAULT_METHOD = "triadaptlora"
STOPPED = 130


def configs_of(options: Namespace) -> list[RunConfig]:
    """The configurations that the arguments name, one a method; of several seeds the first. Raises ConfigError with
    every wrong field once."""
    return races_of(options)[0]


def races_of(options: Namespace) -> list[list[RunConfig]]:
    """A race for each seed: the configurations that the arguments name, one a method. Raises ConfigError with every
    wrong field once."""
    recipe = read_recipe(load_toml(Path(options.config)) if options.config is not None else {})
    given: dict[str, Any] = {}
    if options.task is not None:
        given["task"] = options.task
    lines: list[str] = []
    for name in ("steps", "seed"):
        if (text := getattr(options, name)) is not None:
            set_value(given, f"{name}={text}")
    methods = recipe.methods or [str(recipe.values.get("method", DEFAULT_METHOD))]
    if options.method is not None:
        methods = [name.strip() for name in options.method.split(",")]
    races = []
    for seed in recipe.seeds if options.seed is None else []:
        races.append(_race(recipe, methods, {**given, "seed": seed}, options.set, lines))
    if not races:
        races.append(_race(recipe, methods, given, options.set, lines))
    lines += [f"method = {m!r}: named twice in --method" for m in dict.fromkeys(methods) if methods.count(m) > 1]
    if lines:
        raise ConfigError(list(dict.fromkeys(lines)))
    return races


def _race(
    recipe: Recipe, methods: list[str], given: dict[str, Any], assignments: list[str], lines: list[str]
) -> list[RunConfig]:
    """One configuration a method; what is wrong is added to `lines`."""
    configs = []
    for method in methods:
        data = {**recipe.values_for(method), **given}
        try:
            for assignment in assignments:
                set_value(data, assignment)
            configs.append(parse_config({**data, "method": method}))
        except ConfigError as error:
            lines += error.lines
    return configs


def train(options: Namespace) -> int:
    """Train in this process, with a progress bar on a terminal."""
    folder = runs_folder(options.runs)
    if options.resume is not None:
        race_id, folders = _resumed(folder, options)
        return run_to_the_end(race_id, folders, options, resume=True)
    races = races_of(options)
    if lines := data_problems(races[0][0]):
        raise ConfigError(lines)
    code = 0
    for configs in races:
        race = new_race(folder, configs, options.name)
        code = run_to_the_end(race.id, race.folders, options, resume=False) or code
        if code == STOPPED:
            break
    return code


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
    return STOPPED if "stopped" in states.values() else 0


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
        ranks = told_rank(run["total_rank"], run["target_total_rank"], allotted=run["rank_kind"] != "measured")
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
