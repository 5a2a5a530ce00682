"""A class: thirty sessions on one server while a race trains; how long a press takes, and whether the server grows."""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from playwright.sync_api import Browser, Page

from benchmarks.app_server import CELLS, AppServer, app_server, chromium, new_page, press_run, race_on_view
from benchmarks.light_session import LightSession
from benchmarks.recording import speed_during
from benchmarks.tables import Cell, Table, main
from triadapt.classroom.server import CODE, KEY
from triadapt.classroom.settings import parse_class
from triadapt.classroom.store import write_class
from triadapt.lessons.races import RACES
from triadapt.lessons.registry import LESSONS
from triadapt.runs.library import find, list_runs
from triadapt.runs.reader import RunReader

SESSIONS, THINK_SECONDS, TARGET_MS = 30, (2.0, 5.0), 500
TEACHER = "benchmarks-of-a-class"
CHANGES_PAGE = 0.15
LEARN = "triadapt_learn"
TRAINS = 3
"""Every such session trains the race of a lesson, once."""
TEACHERS_SHARE = 0.6
"""Of the time: so long the teacher's race trains. Those of the lessons wait for it and train in the rest."""
FELT = "a control on play, felt in Chromium"
PICTURE = "document.querySelector('.st-key-sketch [data-svg]')"
SAMPLE_SECONDS = 2.0


@dataclass
class Measured:
    """ms of presses, by what was pressed; resident memory in MiB by seconds; what went wrong; runs of lessons that were
    asked for, and how many were finished in the time."""

    presses: dict[str, list[float]] = field(default_factory=dict)
    memory: list[tuple[float, float]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    fragments: int = 0
    lessons: tuple[int, int] = (0, 0)

    def note(self, what: str, seconds: float) -> None:
        """One press."""
        self.presses.setdefault(what, []).append(1000 * seconds)


async def visitor(address: str, number: int, until: float, found: Measured) -> None:
    """One student: thinks, moves something, changes the lesson or the page, until it is time."""
    chance = random.Random(number)
    session = LightSession(address, chance)
    page, turn, trains = "learn" if number % 2 else "play", 0, number % TRAINS == 0
    try:
        await asyncio.sleep(chance.uniform(0, THINK_SECONDS[1]))
        await session.open()
        found.note("arrival", await session.visit(""))
        await session.visit("" if page == "play" else page)
        while time.monotonic() < until:
            await asyncio.sleep(chance.uniform(*THINK_SECONDS))
            if chance.random() < CHANGES_PAGE:
                page = "play" if page == "learn" else "learn"
                found.note(f"to {page}", await session.visit("" if page == "play" else page))
            elif page == "learn" and trains:
                wish = {"lesson": chance.choice(list(RACES)), "values": {"seed": number}, "turn": 1}
                if (took := await session.tell(LEARN, run=wish)) is not None:
                    trains = False
                    found.note("training in a lesson", took)
            elif page == "learn":
                turn += 1
                said = {"slug": chance.choice(list(LESSONS)), "turn": turn}
                if (took := await session.tell(LEARN, lesson=said)) is not None:
                    found.note("another lesson", took)
            elif (took := await session.move()) is not None:
                found.note(f"a control on {page}", took)
    except TimeoutError:
        found.errors.append(f"session {number}: no answer")
    except OSError as error:
        found.errors.append(f"session {number}: {error}")
    finally:
        found.errors += session.errors
        found.fragments += session.fragments
        await session.close()


async def watch_memory(process: psutil.Process, until: float, found: Measured) -> None:
    """Samples the server's memory."""
    start = time.monotonic()
    while time.monotonic() < until:
        found.memory.append((time.monotonic() - start, process.memory_info().rss / 2**20))
        await asyncio.sleep(SAMPLE_SECONDS)


async def a_class(address: str, process: psutil.Process, seconds: float, sessions: int = SESSIONS) -> Measured:
    """All of it."""
    found = Measured()
    until = time.monotonic() + seconds
    await asyncio.gather(
        watch_memory(process, until, found), *(visitor(address, number, until, found) for number in range(sessions))
    )
    return found


def server_process(server: AppServer) -> psutil.Process:
    """The process that serves the pages."""
    port = server.address.rpartition(":")[2]
    for process in psutil.Process().children(recursive=True):
        if f"--server.port {port}" in " ".join(process.cmdline()):
            return process
    raise RuntimeError("the server's process is not among ours")


def slope(samples: Sequence[tuple[float, float]]) -> float:
    """MiB a minute over the second half, by least squares: the first is arrivals."""
    late = samples[len(samples) // 2 :]
    if len(late) < 3:
        return float("nan")
    return 60 * statistics.linear_regression(*zip(*late, strict=True)).slope


def start_race(browser: Browser, server: AppServer) -> tuple[Page, str, RunReader]:
    """The teacher starts a long race, and goes to a page that does not watch it."""
    page = new_page(browser)
    page.goto(f"{server.address}/?teacher={TEACHER}&steps=50000")
    press_run(page)
    race = race_on_view(page)
    page.goto("about:blank")
    return page, race, RunReader(server.runs / find(server.runs, race)[0].id)


def stop_race(page: Page, server: AppServer, race: str) -> None:
    """The teacher comes back and stops it."""
    page.goto(f"{server.address}/?teacher={TEACHER}&run={race}")
    page.locator(".st-key-stop_button button:enabled").first.click()
    while any(info.live for info in find(server.runs, race)):
        page.wait_for_timeout(200)
    page.goto("about:blank")


def press_and_wait(browser: Browser, address: str, over: Callable[[], bool]) -> list[float]:
    """ms from a key on a slider of Play to the picture that shows it, in a browser among the sessions, until `over`."""
    page = new_page(browser)
    page.goto(address)
    page.wait_for_function(CELLS, polling="raf")
    slider = page.locator(".st-key-warmup [role=slider], .st-key-warmup input[type=range]").first
    took: list[float] = []
    while not over():
        page.wait_for_timeout(1000 * statistics.mean(THINK_SECONDS))
        slider.focus()
        before = page.evaluate(f"{PICTURE}.innerHTML")
        start = time.perf_counter()
        page.keyboard.press("ArrowRight" if len(took) % 20 < 10 else "ArrowLeft")
        page.wait_for_function(f"(before) => {PICTURE}?.innerHTML !== before", arg=before, polling="raf")
        took.append(1000 * (time.perf_counter() - start))
    page.context.close()
    return took


def measure(quick: bool = False) -> list[Table]:
    """All tables."""
    seconds, alone_seconds = (20.0, 5.0) if quick else (300.0, 20.0)
    environment = {CODE: "class", KEY: TEACHER}

    def make_class(runs: Path) -> None:
        write_class(runs, "class", parse_class({"title": "Thirty", "pages": ["learn", "play"]}))

    with app_server(environment, prepare=make_class) as server, chromium() as browser:
        teacher, race, reader = start_race(browser, server)
        time.sleep(2.0)
        alone = speed_during(reader, alone_seconds)
        process = server_process(server)
        seen = reader.info().last_seq
        before, start, cpu = reader.info().last_step, time.perf_counter(), process.cpu_times()
        # In a thread of its own: Playwright has a loop in this one.
        with ThreadPoolExecutor(1) as thread:
            going = thread.submit(lambda: asyncio.run(a_class(server.address, process, seconds)))
            until = time.perf_counter() + TEACHERS_SHARE * seconds
            felt = press_and_wait(browser, server.address, lambda: time.perf_counter() > until)
            trained = time.perf_counter() - start
            beside = (reader.info().last_step - before) / trained
            recorded = (reader.info().last_seq - seen) / trained * 60 * len(find(server.runs, race))
            stop_race(teacher, server, race)
            felt += press_and_wait(browser, server.address, going.done)
            found = going.result()
            found.presses[FELT] = felt
        took, used = time.perf_counter() - start, process.cpu_times()
        lessons = [info for info in list_runs(server.runs) if info.race != race]
        found.lessons = len(lessons), sum(info.state == "finished" for info in lessons)
        cores = (used.user + used.system - cpu.user - cpu.system) / took
        if process.status() == psutil.STATUS_ZOMBIE:
            found.errors.append("the server ended")
    return [_presses(found, seconds), _costs(found, alone, beside, cores, recorded)]


def _presses(found: Measured, seconds: float) -> Table:
    every = _light(found)
    rows: list[tuple[Cell, ...]] = [_row(what, values) for what, values in sorted(found.presses.items())]
    rows.append(_row("all of the light sessions", every))
    held = "yes" if is_held(found) else "no"
    note = (
        f"{SESSIONS} sessions over websockets for {seconds:.0f} s, each with {THINK_SECONDS[0]:g} to "
        f"{THINK_SECONDS[1]:g} s between presses, while a race of four methods trains and those on Play watch it live; "
        f"after {TEACHERS_SHARE:.0%} of the time it is stopped, and the races train that one session in {TRAINS} asked "
        f"for in a lesson. "
        f"From the request to the end of the script; felt: from a key on a slider to the picture. "
        f"95 % within {TARGET_MS} ms, of the light sessions and felt, and no errors: {held}. "
        f"Errors: {len(found.errors)}" + (f", the first: {found.errors[0]}." if found.errors else ".")
    )
    return Table("A press in a class of thirty, ms", ("what", "median", "95 %", "most", "times"), rows, [note])


def is_held(found: Measured) -> bool:
    """Whether presses were answered in time, those of the sessions and those felt in a browser, and nothing failed."""
    groups = [_light(found), found.presses.get(FELT, [])]
    return not found.errors and all(values and _percentile(values, 95) <= TARGET_MS for values in groups)


def _light(found: Measured) -> list[float]:
    return [took for what, values in found.presses.items() if what != FELT for took in values]


def _row(what: str, values: list[float]) -> tuple[Cell, ...]:
    return what, statistics.median(values), _percentile(values, 95), max(values), len(values)


def _percentile(values: Sequence[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def _costs(found: Measured, alone: float, beside: float, cores: float, recorded: float) -> Table:
    rows: list[tuple[Cell, ...]] = [
        ("training alone, lockstep steps/s", alone),
        ("training beside the class, lockstep steps/s", beside),
        ("server, cores in use", cores),
        ("server, memory at the end, MiB", found.memory[-1][1]),
        ("server, memory, MiB a minute", slope(found.memory)),
        ("events that the race on view records a minute", round(recorded)),
        ("runs of lessons asked for by the sessions", found.lessons[0]),
        ("runs of lessons finished in the time", found.lessons[1]),
        ("refreshes asked for by timers", found.fragments),
    ]
    note = (
        "Memory by least squares over the second half of the time; the server keeps the newest 10,000 events of each "
        "run on view, so it grows with a race up to that, and "
        "drops those of a run that nobody looked at for ten minutes. Sessions, server and training share the cores."
    )
    return Table("What a class of thirty costs", ("what", "value"), rows, [note])


if __name__ == "__main__":
    sys.exit(main("classroom", __doc__.splitlines()[0], measure))
