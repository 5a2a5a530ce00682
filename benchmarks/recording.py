"""What recording and watching cost: training speed with the store and without, with the page open and closed."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from playwright.sync_api import Page, WebSocket

from benchmarks.app_server import app_server, chromium, new_page, open_board, press_run, processor_seconds, race_on_view
from benchmarks.tables import Cell, Table, main
from triadapt.config import RunConfig, parse_config
from triadapt.events import Event, Step
from triadapt.methods.registry import AT_FIRST
from triadapt.runs.library import find, new_race
from triadapt.runs.reader import RunReader
from triadapt.runs.store import RunStore
from triadapt.training.race import open_race
from triadapt.training.session import Session
from triadapt.workers.lockstep import Lockstep

STEPS = 150
SETTLE_SECONDS = 2.0


@contextmanager
def timed(owner: type, method: str) -> Iterator[list[float]]:
    """Yields a list that grows by the seconds of each call of that method."""
    original: Callable[..., Any] = getattr(owner, method)
    seconds: list[float] = []

    def wrapper(*arguments: Any, **named: Any) -> Any:
        start = time.perf_counter()
        try:
            return original(*arguments, **named)
        finally:
            seconds.append(time.perf_counter() - start)

    with patch.object(owner, method, wrapper):
        yield seconds


def stored_seconds(configs: list[RunConfig]) -> tuple[float, float, float]:
    """Seconds from the first to the last step of a race that is written to run files, and how many of them went into
    events and into checkpoints."""
    times: list[float] = []

    def note(index: int, event: Event) -> None:
        if isinstance(event, Step):
            times.append(time.perf_counter())

    with (
        tempfile.TemporaryDirectory(prefix="triadapt-benchmark-") as folder,
        timed(RunStore, "append") as events,
        timed(Session, "checkpoint") as checkpoints,
    ):
        race = new_race(Path(folder), configs)
        states = Lockstep(race.folders, lambda c, f: list(open_race(c, f)), on_event=note).run()
        if set(states.values()) != {"finished"}:
            raise RuntimeError(f"the race did not finish: {states}")
    return times[-1] - times[0], sum(events), sum(checkpoints)


def thrown_away_seconds(configs: list[RunConfig]) -> float:
    """The same for the same sessions when nobody takes their events."""
    sessions = open_race(configs, [None] * len(configs))
    for session in sessions:
        session.open()
    times: list[float] = []
    while not sessions[-1].done:
        for session in sessions:
            session.advance()
            times.append(time.perf_counter())
    return times[-1] - times[0]


def store_cost(quick: bool = False) -> Table:
    """Both ways in turn, in changing order."""
    torch.set_num_threads(1)
    values = {"steps": 60 if quick else STEPS, "warmup": 20 if quick else 40, "interval": 20, "threads": 1}
    configs = [parse_config({**values, "method": method}) for method in AT_FIRST]
    steps = configs[0].steps
    with_store, without, ratios, events, checkpoints = [], [], [], [], []
    for turn in range(1 if quick else 4):
        thrown = thrown_away_seconds(configs) if turn % 2 else 0.0
        stored, in_events, in_checkpoints = stored_seconds(configs)
        thrown = thrown or thrown_away_seconds(configs)
        with_store.append((steps - 1) / stored)
        without.append((steps - 1) / thrown)
        ratios.append(stored / thrown)
        events.append(in_events / stored)
        checkpoints.append(in_checkpoints / stored)
    note = (
        f"Four methods in lockstep, {steps} steps, a rank event every {configs[0].interval}; median of {len(ratios)} "
        f"pairs; time: of the same steps, over that without a store. Timed by themselves, writing events took "
        f"{statistics.median(events):.1%} of the run and checkpoints {statistics.median(checkpoints):.1%}; that holds "
        f"on a busy machine too."
    )
    rows = [
        ("events thrown away", statistics.median(without), 1.0),
        ("run files and checkpoints", statistics.median(with_store), statistics.median(ratios)),
    ]
    return Table("Cost of recording", ("what", "lockstep steps/s", "time"), rows, [note])


def speed_during(reader: RunReader, seconds: float) -> float:
    """Steps a second over the next `seconds`, by the times in the run's file."""
    after = reader.info().last_seq
    time.sleep(seconds)
    times = [row.time for row in reader.events(after) if isinstance(row.event, Step)]
    if len(times) < 2:
        raise RuntimeError(f"{reader.folder.name}: no steps within {seconds:g} s; its state is {reader.info().state}")
    return (len(times) - 1) / (times[-1] - times[0])


def _bytes_received(page: Page) -> list[int]:
    """A list that grows by the size of each message the page receives."""
    sizes: list[int] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda data: sizes.append(len(data)))

    page.on("websocket", listen)
    return sizes


@dataclass
class Window:
    """Some seconds of a run: lockstep steps a second, and in cores who used the processors (`processor_seconds`)."""

    speed: float
    cores: dict[str, float]


def watched_window(reader: RunReader, seconds: float) -> Window:
    """What happens over the next `seconds`."""
    start, before = time.perf_counter(), processor_seconds()
    speed = speed_during(reader, seconds)
    after, took = processor_seconds(), time.perf_counter() - start
    return Window(speed, {part: (after[part] - before[part]) / took for part in after})


def watching_cost(quick: bool = False) -> list[Table]:
    """One long race; the page that shows it is opened and closed in turn."""
    window, turns = (2.0, 1) if quick else (4.0, 8)
    closed: list[Window] = []
    opened: list[Window] = []
    received = 0
    with app_server() as server, chromium() as browser:
        page = new_page(browser)
        page.goto(f"{server.address}/?steps=50000")
        press_run(page)
        race = race_on_view(page)
        page.context.close()
        reader = RunReader(server.runs / find(server.runs, race)[0].id)
        for _ in range(turns):
            time.sleep(SETTLE_SECONDS)
            closed.append(watched_window(reader, window))
            page = new_page(browser)
            counted = _bytes_received(page)
            open_board(page, f"{server.address}/?run={race}")
            page.wait_for_timeout(SETTLE_SECONDS * 1000)
            before = sum(counted)
            opened.append(watched_window(reader, window))
            page.evaluate("0")  # a round trip: what arrived meanwhile was counted before its answer
            received += sum(counted) - before
            page.context.close()
    ratios = [one.speed / other.speed for one, other in zip(closed, opened, strict=True)]
    note = (
        f"Four methods in lockstep, {turns} windows of {window:g} s each way in turn, speed from the times in the "
        f"run's file; browser, server and training share the cores. time: median of closed over open. "
        f"The open page received {received / turns / window / 1024:.1f} KB/s."
    )
    rows = [
        ("page closed", _median(closed), 1.0),
        ("page open", _median(opened), statistics.median(ratios)),
    ]
    return [Table("Cost of watching", ("what", "lockstep steps/s", "time"), rows, [note]), _cores(closed, opened)]


def _median(windows: list[Window]) -> float:
    return statistics.median(one.speed for one in windows)


def _cores(closed: list[Window], opened: list[Window]) -> Table:
    """Who used the processors meanwhile."""
    names = {
        "training": "training, which asks for one core",
        "waiting": "training, standing in line for a core",
        "server": "server of the pages",
        "browser": "browser",
        "others": "everything else on the machine",
    }
    rows: list[tuple[Cell, ...]] = [
        (name, *(statistics.median(one.cores[part] for one in windows) for windows in (closed, opened)))
        for part, name in names.items()
    ]
    note = "Medians over the same windows. What training loses to others is what it stands in line."
    return Table("Cores in use while watching", ("what", "page closed", "page open"), rows, [note])


def measure(quick: bool = False) -> list[Table]:
    """All tables."""
    return [store_cost(quick), *watching_cost(quick)]


if __name__ == "__main__":
    sys.exit(main("recording", __doc__.splitlines()[0], measure))
