"""The schedule lab: milliseconds from a slider's move to the picture that answers it."""

from __future__ import annotations

import statistics
import sys
from urllib.parse import urlencode

from playwright.sync_api import Page

from benchmarks.app_server import app_server, chromium, new_page
from benchmarks.tables import Cell, Table, main
from triadapt.views.lab.inputs import KNOWN_MODELS

MOVES = 240
SLIDERS = ("warmup", "interval", "reference_rank", "top_h")
LAB = "document.querySelector('.tri-lab')?.dataset"
READY = f"{LAB}?.turn && {LAB}.turn === {LAB}.answered"
# From the browser's own time of the input to after the frame that shows it: a message posted in the frame is
# delivered once it is painted.
WATCH = """() => {
  window.moves = [];
  document.addEventListener("input", (event) => requestAnimationFrame(() => {
    const channel = new MessageChannel();
    const {lab} = document.querySelector(".tri-lab").parentElement.triLab;
    channel.port1.onmessage = () => window.moves.push([performance.now() - event.timeStamp, lab.took]);
    channel.port2.postMessage(0);
  }), true);
}"""


def drag(page: Page, key: str, moves: int) -> list[tuple[float, float]]:
    """Move a slider to and fro by its thumb; returns for each move that changed it the milliseconds until it is seen,
    and those spent on computing and writing the picture."""
    box = page.locator(f"input[type=range][data-key='{key}']").bounding_box()
    if box is None:
        raise RuntimeError(f"the lab has no slider {key!r} on the screen")
    page.evaluate("window.moves.length = 0")
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    for move in range(moves):
        share = abs((move * 0.037) % 1.2 - 0.6) + 0.1
        page.mouse.move(box["x"] + box["width"] * share, middle)
    page.mouse.up()
    page.wait_for_timeout(300)
    taken: list[list[float]] = page.evaluate("window.moves")
    return [(seen, spent) for seen, spent in taken]


def redraws(quick: bool = False) -> Table:
    """Two sizes, every line at once."""
    seven = KNOWN_MODELS["Llama 3.1 8B: seven a block"]
    large = {"task": "own", "layers": seven[0], "modules": seven[1], "steps": 3000, "warmup": 200, "reference_rank": 8}
    sizes: dict[str, dict[str, object]] = {"24 matrices, 600 steps": {}, "224 matrices, 3000 steps": large}
    rows: list[tuple[Cell, ...]] = []
    with app_server() as server, chromium() as browser:
        for label, query in sizes.items():
            page = new_page(browser)
            page.goto(f"{server.address}/tune?{urlencode(query | {'modes': 'all'})}")
            page.wait_for_function(READY)
            page.evaluate(WATCH)
            moved = [one for key in SLIDERS for one in drag(page, key, MOVES // (20 if quick else 1) // len(SLIDERS))]
            if not moved:
                raise RuntimeError("no move of a slider was answered")
            taken = [seen for seen, _ in moved]
            spent = statistics.median(spent for _, spent in moved)
            within = sum(ms <= 50 for ms in taken) / len(taken)
            late = statistics.quantiles(taken, n=20)[-1] if len(taken) > 1 else taken[0]
            rows.append((label, statistics.median(taken), late, max(taken), f"{within:.0%}", spent, len(taken)))
            page.context.close()
    note = (
        f"Headless Chromium without a GPU, sliders {', '.join(SLIDERS)} dragged by the mouse; five lines: TriAdaptLoRA "
        f"in three modes, IncreLoRA, AdaLoRA. Measured in the page, from the input's own time to after the frame that "
        f"shows it; a frame comes every 16.7 ms at best."
    )
    return Table(
        "From a slider's move to the picture, ms",
        ("lab", "median", "95 %", "most", "within 50 ms", "of it script", "moves"),
        rows,
        [note],
    )


def measure(quick: bool = False) -> list[Table]:
    """One table."""
    return [redraws(quick)]


if __name__ == "__main__":
    sys.exit(main("lab", __doc__.splitlines()[0], measure))
