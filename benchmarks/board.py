"""The live board: bytes of a refresh, seconds to the first chart, seconds from Run to the first live point."""

from __future__ import annotations

import statistics
import sys

from benchmarks.app_server import app_server, chromium, new_page, open_board, press_run, stop
from benchmarks.made_up_run import made_up_run
from benchmarks.tables import Cell, Table, main
from triadapt.config import parse_config
from triadapt.events import Stamped
from triadapt.methods.registry import AT_FIRST, METHODS
from triadapt.views.delivery import Delivery, News

REFRESH_SECONDS = 0.5
STEPS_A_SECOND = 40.0
LARGE = {"steps": 10_000, "warmup": 1000, "interval": 40, "reference_rank": 8}
STATUS = {"state": "running", "speed": STEPS_A_SECOND, "eta": 9.0}


def message_sizes(runs: dict[str, list[Stamped]], ticks: list[float]) -> list[int]:
    """Bytes of the messages that a browser gets at those seconds, all there is at the first; 0 for what is the last
    message again. Between the first and the second it gets what is owed."""
    delivery, sizes, last = Delivery("race"), [], b""

    def message(until: float) -> bytes:
        return delivery.message([
            News(name, 0, STATUS, [row for row in rows if row.seq > delivery.after(name, 0) and row.time <= until])
            for name, rows in runs.items()
        ])  # fmt: skip

    for tick in ticks:
        sent = message(tick)
        sizes.append(0 if sent == last else len(sent))
        while delivery.catching_up:
            sent = message(tick)
        last = sent
    return sizes


def payload() -> Table:
    """Full copies and increments, for one run and for a race of every method."""
    rows: list[tuple[Cell, ...]] = []
    for matrices, values in ((24, {}), (72, {}), (222, LARGE)):
        config = parse_config(values)
        runs = {method: made_up_run(config.for_method(method), matrices, STEPS_A_SECOND) for method in AT_FIRST}
        end = max(stored[-1].time for stored in runs.values())
        for label, race in ((METHODS[config.method].label, {config.method: runs[config.method]}), ("all four", runs)):
            ticks = [REFRESH_SECONDS * i for i in range(1, int(end / REFRESH_SECONDS) + 1)]
            newer = message_sizes(race, ticks)[1:]
            full, unchanged = message_sizes(race, [end, end])
            rows.append(
                (
                    f"{matrices} matrices, {config.steps} steps, {label}",
                    full,
                    round(statistics.mean(newer)),
                    max(newer),
                    unchanged,
                )
            )
    note = (
        f"Bytes of a whole run and of what {REFRESH_SECONDS:g} s bring at {STEPS_A_SECOND:.0f} "
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
