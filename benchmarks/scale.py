"""Large runs: 4 runs of 224 matrices, 10,000 steps and about 200 rank events, a list of 100 runs, and being watched."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from playwright.sync_api import Browser, Page

from benchmarks.app_server import AppServer, app_server, chromium, new_page, open_board
from benchmarks.board import REFRESH_SECONDS, message_sizes
from benchmarks.recording import watching_cost
from benchmarks.scale_runs import LARGE, large_race, store_race, store_small_runs
from benchmarks.tables import Cell, Table, main
from triadapt.events import RankEvent, Stamped

STORED_RUNS = 100
BOARD = "document.querySelector('.tri-board').parentElement.triBoard.board"
DRAWN = f"{BOARD}.panels.every((panel) => !panel.box || !{BOARD}.near.get(panel) || panel.box.data)"
LIST = "document.querySelector('[data-testid=stDataFrame] canvas [role=gridcell]') !== null"
# Resolves when no message has come for two seconds: all that was owed is there.
ALL_THERE = f"""() => new Promise((resolve) => {{
  let before = -1;
  const timer = setInterval(() => {{
    const now = {BOARD}.counts.refreshes;
    if (now === before) {{
      clearInterval(timer);
      resolve();
    }}
    before = now;
  }}, 2000);
}})"""
# Moves the scrubber's thumb to and fro, once an animation frame, for some seconds. Resolves to the milliseconds at
# which each panel in sight had drawn another step than before, by its name, and to those of the animation frames.
DRAG = f"""(seconds) => new Promise((resolve) => {{
  const board = {BOARD};
  const {{range}} = board.scrubber;
  const drawn = {{}};
  const frames = [];
  const begun = performance.now();
  for (const panel of board.panels) {{
    if (!panel.holder || !board.near.get(panel)) continue;
    const times = drawn[panel.section.dataset.testid] = [];
    let last = board.step;
    for (const way of ["draw", "glance"]) {{
      if (!panel[way]) continue;
      const show = panel[way].bind(panel);
      panel[way] = (reasons) => {{
        show(reasons);
        if (board.step !== last) times.push(performance.now() - begun);
        last = board.step;
      }};
    }}
  }}
  const move = () => {{
    const now = performance.now() - begun;
    if (now >= seconds * 1000) {{
      for (const panel of board.panels) {{ delete panel.draw; delete panel.glance; }}
      return resolve({{drawn, frames}});
    }}
    frames.push(now);
    range.value = String(Math.round(board.total * Math.abs(1 - ((now / 4000) % 2))));
    range.dispatchEvent(new Event("input"));
    requestAnimationFrame(move);
  }};
  requestAnimationFrame(move);
}})"""


@dataclass(frozen=True)
class Target:
    """What a figure is held to: `limit` at most, or at least; `unit` is told with it."""

    limit: float
    unit: str
    at_least: bool = False

    def row(self, what: str, values: Sequence[float]) -> tuple[Cell, ...]:
        """A row of the table: `what`, median and worst of the values, how many, the target, whether the median holds
        it."""
        median = statistics.median(values)
        held = median >= self.limit if self.at_least else median <= self.limit
        worst = min(values) if self.at_least else max(values)
        told = f"{'at least' if self.at_least else 'at most'} {self.limit:,g} {self.unit}"
        return what, median, worst, len(values), told, "yes" if held else "no"


OPENED, LISTED = Target(2, "s"), Target(1, "s")
SCRUBBED = Target(20, "a second", at_least=True)
FULL, NEWER = Target(50_000, "bytes"), Target(5000, "bytes")
WATCHED = Target(1.05, "of the time")


def opening(browser: Browser, address: str, times: int) -> list[tuple[Cell, ...]]:
    """From the page asked for to the first chart and to the whole board, with an empty browser cache and again."""
    cold, warm = [], []
    for _ in range(times):
        page = new_page(browser)
        cold.append(open_board(page, address))
        page.goto("about:blank")
        warm.append(open_board(page, address))
        page.context.close()
    return [
        OPENED.row(f"page asked for, {until}; {visit}, s", [pair[i] for pair in pairs])
        for visit, pairs in (("empty browser cache", cold), ("second visit", warm))
        for i, until in enumerate(("first chart", "whole board"))
    ]


def scrubbing(browser: Browser, address: str, seconds: float) -> tuple[list[tuple[Cell, ...]], Table]:
    """Steps a second that panels in sight follow while the scrubber's thumb moves at every animation frame: at once,
    while the server still sends what did not fit into the first message, and when all of it is there."""
    page = new_page(browser)
    open_board(page, address)
    page.wait_for_function(DRAWN)
    page.evaluate(DRAG, 1.0)  # what is drawn for the first time is drawn
    found = [page.evaluate(DRAG, seconds)]
    page.evaluate(ALL_THERE)
    found.append(page.evaluate(DRAG, seconds))
    page.context.close()
    if not all(one["drawn"] for one in found):
        raise RuntimeError("no panel of the board is in sight")
    rows: list[tuple[Cell, ...]] = []
    for when, one in zip(("at once", "all there"), found, strict=True):
        what = f"scrubbing, {when}: steps that the slowest panel follows, a second"
        rows.append(SCRUBBED.row(what, [min(len(times) / seconds for times in one["drawn"].values())]))
    panels = [{"animation frames": one["frames"], **one["drawn"]} for one in found]
    told: list[tuple[Cell, ...]] = [
        (name, *(figure for one in panels for figure in _pace(one.get(name, []), seconds))) for name in panels[0]
    ]
    note = (
        f"The thumb goes through all steps and back in 8 s, moved at every animation frame, for {seconds:g} s; steps "
        f"that a panel in sight has followed, and the longest time without one in ms. A panel that takes long follows "
        f"with its cursor, its words, the colours of its cells or a veil, and is drawn whole when the thumb rests. At "
        f"once: while the server still sends what did not fit into the first message."
    )
    columns = ("what", "a second, at once", "longest gap", "a second, all there", "longest gap")
    return rows, Table("Scrubbing through the large race", columns, told, [note])


def _pace(times: list[float], seconds: float) -> tuple[float, float]:
    """How often a second something happened at those milliseconds, and the longest time in between."""
    marks = [0.0, *times, seconds * 1000]
    return len(times) / seconds, max(after - before for before, after in pairwise(marks))


def payload(race: dict[str, list[Stamped]]) -> list[tuple[Cell, ...]]:
    """Bytes of the full copy, and of what half a second brings."""
    end = max(stored[-1].time for stored in race.values())
    ticks = [REFRESH_SECONDS * i for i in range(1, int(end / REFRESH_SECONDS) + 1)]
    full, newer = message_sizes(race, [end])[0], message_sizes(race, ticks)[1:]
    return [FULL.row("full copy, bytes", [full]), NEWER.row(f"newer, after {REFRESH_SECONDS:g} s, bytes", newer)]


def listing(browser: Browser, server: AppServer, times: int) -> list[tuple[Cell, ...]]:
    """From the page of runs asked for to the list drawn."""
    cold, warm = [], []
    for _ in range(times):
        page = new_page(browser)
        cold.append(_open_list(page, server.address))
        page.goto("about:blank")
        warm.append(_open_list(page, server.address))
        page.context.close()
    what = f"list of {STORED_RUNS} stored runs"
    return [LISTED.row(f"{what}; empty browser cache, s", cold), LISTED.row(f"{what}; second visit, s", warm)]


def _open_list(page: Page, address: str) -> float:
    start = time.perf_counter()
    page.goto(f"{address}/runs", wait_until="commit")
    page.wait_for_function(LIST, polling="raf")
    return time.perf_counter() - start


def watching(quick: bool) -> list[tuple[Cell, ...]]:
    """Time that the same steps take while the page is open, over that while it is closed."""
    _, (_, _, ratio) = watching_cost(quick)[0].rows
    assert isinstance(ratio, float)
    return [WATCHED.row("training watched, time of the same steps over that unwatched", [ratio])]


def measure(quick: bool = False) -> list[Table]:
    """What is asked of large runs, with its targets; and scrubbing, panel by panel."""
    times, seconds = (1, 2.0) if quick else (5, 16.0)
    made = large_race()
    with app_server() as server, chromium() as browser:
        race = store_race(server.runs, LARGE, list(made.values()))
        store_small_runs(server.runs, STORED_RUNS - len(made))
        address = f"{server.address}/?run={race}"
        page = new_page(browser)
        open_board(page, address)  # the server has read its modules
        page.context.close()
        opened = opening(browser, address, times)
        scrubbed, panels = scrubbing(browser, address, seconds)
        listed = listing(browser, server, times)
    rows = [*opened, *scrubbed, *payload(made), *listed, *watching(quick)]
    events = ", ".join(str(sum(isinstance(row.event, RankEvent) for row in stored)) for stored in made.values())
    note = (
        f"Made-up values in events of the true number and size: a race of the four methods, 224 matrices, "
        f"{LARGE['steps']:,} steps, {events} rank events, among {STORED_RUNS} stored runs. Headless Chromium without a "
        f"GPU, localhost, 1440 x 900. Held: by the median. Watching: as under recording, a race of 24 matrices."
    )
    columns = ("what", "median", "worst", "times", "target", "held")
    return [Table("Large runs against their targets", columns, rows, [note]), panels]


if __name__ == "__main__":
    sys.exit(main("scale", __doc__.splitlines()[0], measure))
