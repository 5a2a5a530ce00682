"""The live board: bytes of a refresh, seconds to the first chart, seconds from Run to the first live point."""

from __future__ import annotations

import statistics
import sys

from benchmarks.app_server import app_server, chromium, new_page, open_board, press_run, stop
from benchmarks.made_up_run import made_up_run
from benchmarks.tables import Cell, Table, main
from triadapt.config import parse_config
from triadapt.events import Stamped
from triadapt.methods.registry import METHODS
from triadapt.views.board import board_frame, run_frame

REFRESH_SECONDS = 0.5
STEPS_A_SECOND = 40.0
STATUS = {"state": "running", "speed": STEPS_A_SECOND, "eta": 9.0}


def frame_bytes(runs: dict[str, list[Stamped]], after: float, until: float) -> int:
    """Size of the frame that brings a browser from second `after` to second `until`; 0 when nothing is new."""
    frames, news = [], False
    for name, rows in runs.items():
        seen = max((row.seq for row in rows if row.time <= after), default=0)
        held = [row for row in rows if row.time <= until]
        news |= any(row.seq > seen for row in held)
        frames.append(run_frame(name, held, after=seen, generation=0, status=STATUS))
    return len(board_frame("race", frames, full=after <= 0)) if news else 0


def payload() -> Table:
    """Full copies and increments, for one run and for a race of every method."""
    rows: list[tuple[Cell, ...]] = []
    for matrices in (24, 72):
        config = parse_config({})
        runs = {method: made_up_run(config.for_method(method), matrices, STEPS_A_SECOND) for method in METHODS}
        end = max(stored[-1].time for stored in runs.values())
        for label, race in ((METHODS[config.method].label, {config.method: runs[config.method]}), ("all four", runs)):
            ticks = [REFRESH_SECONDS * i for i in range(1, int(end / REFRESH_SECONDS) + 1)]
            newer = [frame_bytes(race, tick - REFRESH_SECONDS, tick) for tick in ticks[1:]]
            unchanged = frame_bytes(race, end, end)
            full = frame_bytes(race, 0.0, end)
            rows.append((f"{matrices} matrices, {label}", full, round(statistics.mean(newer)), max(newer), unchanged))
    note = (
        f"Bytes of a whole run of {config.steps} steps and of what {REFRESH_SECONDS:g} s bring at {STEPS_A_SECOND:.0f} "
        f"steps/s; made-up values in events of the true number and size."
    )
    columns = ("board", "full copy", "newer, mean", "newer, most", "unchanged")
    return Table("Payload of a refresh, bytes", columns, rows, [note])


def waiting(quick: bool = False) -> Table:
    """What a visitor waits for."""
    loads, presses = (2, 1) if quick else (7, 5)
    with app_server() as server, chromium() as browser:
        page = new_page(browser)
        page.goto(server.address)
        early = press_run(page)  # the worker is still at its imports
        race = stop(page, server)
        page.context.close()
        cold, warm = [], []
        for _ in range(loads):
            page = new_page(browser)
            cold.append(open_board(page, f"{server.address}/?run={race}"))
            page.goto("about:blank")
            warm.append(open_board(page, f"{server.address}/?run={race}"))
            page.context.close()
        page = new_page(browser)
        page.goto(server.address)
        runs = []
        for _ in range(presses):
            runs.append(press_run(page))
            stop(page, server)
    rows: list[tuple[Cell, ...]] = [
        _row("page asked for, first chart; empty browser cache", [first for first, _ in cold]),
        _row("page asked for, whole board; empty browser cache", [whole for _, whole in cold]),
        _row("page asked for, first chart; second visit", [first for first, _ in warm]),
        _row("page asked for, whole board; second visit", [whole for _, whole in warm]),
        _row("Run pressed, first live point; warm worker", runs),
        _row("Run pressed, first live point; server just started", [early]),
    ]
    note = (
        "Headless Chromium, localhost. The first chart is a table of the ranks that is drawn while plotly.js loads; "
        "the whole board is there when Plotly has drawn the rank map in its place."
    )
    return Table("Waiting, seconds", ("from, to", "median", "least", "most", "times"), rows, [note])


def _row(label: str, values: list[float]) -> tuple[Cell, ...]:
    return label, statistics.median(values), min(values), max(values), len(values)


def measure(quick: bool = False) -> list[Table]:
    """Both tables."""
    return [payload(), waiting(quick)]


if __name__ == "__main__":
    sys.exit(main("board", __doc__.splitlines()[0], measure))
