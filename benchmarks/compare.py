"""The compare page: seconds until it is drawn, bytes it is sent, moments a second while the slider moves."""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from playwright.sync_api import Page

from benchmarks.app_server import app_server, chromium, new_page
from benchmarks.made_up_run import made_up_run
from benchmarks.tables import Cell, Table, main
from triadapt.config import parse_config
from triadapt.methods.registry import AT_FIRST
from triadapt.runs.library import new_race
from triadapt.runs.store import RunStore

SEEDS = 6
SIZES = ((4, 24), (24, 24), (24, 72))  # runs, matrices
PAGE = "[...document.querySelectorAll('.tri-compare')].map((root) => root.parentElement.triCompare?.comparison)[0]"
MAPS = f"() => {PAGE}?.maps.tiles.length > 0"
RESTS = f"() => {PAGE}?.runs.length > 0 && {PAGE}.rests"
# Goes through `count` moments, one an animation frame; resolves to seconds.
SLIDE = f"""(count) => new Promise((resolve) => {{
  const comparison = {PAGE};
  const {{high}} = comparison.limits("step");
  const begun = performance.now();
  let at = 0;
  const next = () => {{
    if (at === count) return resolve((performance.now() - begun) / 1000);
    comparison.setMoment("step", Math.round((high * at) / (count - 1)));
    at += 1;
    requestAnimationFrame(next);
  }};
  next();
}})"""


def make_runs(folder: Path, matrices: int) -> list[str]:
    """Made-up runs of every method under six seeds; their ids, the methods of a seed together."""
    ids = []
    for seed in range(1, SEEDS + 1):
        configs = [parse_config({"method": method, "seed": seed}) for method in AT_FIRST]
        race = new_race(folder, configs)
        for place, config in zip(race.folders, configs, strict=True):
            with RunStore.open(place) as store:
                store.copy_events(made_up_run(config, matrices, 40.0))
                store.set_state("finished")
        ids += race.run_ids
    return ids


def open_comparison(page: Page, address: str) -> tuple[float, float]:
    """Seconds until the maps are there, and until everything in sight is drawn."""
    start = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_function(MAPS, polling="raf")
    maps = time.perf_counter() - start
    page.wait_for_function(RESTS, polling="raf")
    return maps, time.perf_counter() - start


def measure(quick: bool = False) -> list[Table]:
    """Opening, and sliding through all steps."""
    loads, moments = (2, 40) if quick else (7, 200)
    opening: list[tuple[Cell, ...]] = []
    sliding: list[tuple[Cell, ...]] = []
    with app_server() as server, chromium() as browser:
        made = {matrices: make_runs(server.runs, matrices) for matrices in dict.fromkeys(size for _, size in SIZES)}
        for count, matrices in SIZES:
            label = f"{count} runs, {matrices} matrices"
            address = f"{server.address}/compare?runs={','.join(made[matrices][:count])}"
            page = new_page(browser)
            open_comparison(page, address)  # the browser's cache fills, and the server reads the runs
            times = []
            for _ in range(loads):
                page.goto("about:blank")
                times.append(open_comparison(page, address))
            for what, seconds in zip(("maps", "everything in sight"), zip(*times, strict=True), strict=True):
                opening.append((f"{label}: {what}", statistics.median(seconds), min(seconds), max(seconds), loads))
            sent = page.evaluate("document.querySelector('.tri-compare').parentElement.triCompare.last.byteLength")
            sliding.append((label, sent, moments / page.evaluate(SLIDE, moments)))
            page.context.close()
    note = (
        "Headless Chromium, localhost, 1440 x 900, second visit. Runs of 600 steps with made-up values in events "
        "of the true number and size, four methods, six seeds."
    )
    how = "One moment an animation frame: all maps, the difference and the numbers. The server is not asked."
    columns = ("comparison", "bytes sent at the opening", "moments/s")
    return [
        Table("Opening a comparison, seconds", ("until", "median", "least", "most", "times"), opening, [note]),
        Table("Sliding through the steps of a comparison", columns, sliding, [how]),
    ]


if __name__ == "__main__":
    sys.exit(main("compare", __doc__.splitlines()[0], measure))
