"""A made-up race and a page that shows it on the board, for tests that need a browser but no training.

Run as a script to look at it by hand: it serves the page and prints the address.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
from plotly.offline import get_plotlyjs

from triadapt.events import (
    Baseline,
    Evaluation,
    Event,
    Geometry,
    Matrix,
    RankEvent,
    Scores,
    Stamped,
    Started,
    Step,
    Warned,
)
from triadapt.methods.registry import AT_FIRST, METHODS
from triadapt.views.board import board_frame, run_frame

BOARD = Path(__file__).parents[2] / "triadapt" / "ui" / "board"
MODULES = ("q", "k", "v", "o", "up", "down")
CORES = {"triadaptlora": "triangular", "increlora": "diagonal", "adalora": "diagonal", "lora": "none"}
START = {"grows": 1, "prunes": 3, "fixed": 2}


def matrices(layers: int) -> list[Matrix]:
    """Six matrices a layer, one in five planted at rank 8."""
    return [
        Matrix(f"encoder.{layer}.{module}", layer, module, (64, 64), 8 if (layer * 6 + i) % 5 == 2 else 0)
        for layer in range(layers)
        for i, module in enumerate(MODULES)
    ]


def made_up_run(method: str, *, layers: int = 4, steps: int = 600, seed: int = 0) -> list[Stamped]:
    """Events of a run that never happened: ranks drift to the planted matrices, the loss falls."""
    rng = np.random.default_rng([seed, *method.encode()])
    spec = METHODS[method]
    where = matrices(layers)
    n = len(where)
    planted = np.array([m.planted_rank for m in where])
    core = CORES[method]
    ranks = np.full(n, START[spec.allocation], dtype=np.uint16)
    target = 2 * n
    planned = list(range(80, steps - 60, 20)) if spec.allocation != "fixed" else []
    pull = {"triadaptlora": 1.0, "increlora": 0.6, "adalora": 0.5, "lora": 0.0}[method]
    weight = 0.01 * np.exp(rng.normal(0, 0.5, n)) * (1 + pull * (planted > 0))
    events: list[Event] = [
        Started(0, {"method": method, "steps": steps}, where, method, "planted", spec.allocation, core, "error", False,
                steps, int(ranks.sum()), target, int(ranks.sum()) * 128, planned, "cpu"),
        Baseline(0, "no adapter", 1.0),
    ]  # fmt: skip
    for t in range(steps):
        level = 0.9 * np.exp(-t / (170 + 60 * (1 - pull))) + 0.12 + 0.04 * (1 - pull)
        events.append(Step(t, float(level * np.exp(rng.normal(0, 0.12))), 5e-3 * (1 - t / steps)))
        scores = (weight * np.exp(rng.normal(0, 0.2, n)) * (0.3 + level) / np.maximum(ranks, 1)).astype(np.float32)
        allocated = t in planned and int(ranks.sum()) != target
        if allocated:
            event = _allocate(t, spec.allocation, scores, ranks, target, rng, 1 + planned.index(t) // 5)
            ranks = event.ranks.copy()
            events.append(event)
        elif t % 10 == 0 and spec.allocation != "fixed":
            events.append(Scores(t, scores))
        if t % 25 == 24:
            events.append(Evaluation(t, {"error": float(level * 0.97), "loss": float(level)}))
        if t % 50 == 49 or (allocated and t < 200):
            events.append(_shape(t + 1, ranks, core, rng))
    if method == "adalora":
        events.append(Warned(steps - 1, "late", "The budget was reached late.", "Lower `warmup` or `interval`."))
    return [Stamped(seq, seq / 90, event) for seq, event in enumerate(events, start=1)]


def _allocate(
    t: int, allocation: str, scores: Any, ranks: Any, target: int, rng: np.random.Generator, allowed: int
) -> RankEvent:
    before = ranks.copy()
    after = ranks.copy()
    units = np.zeros(0, np.float32)
    owner = np.zeros(0, np.uint16)
    if allocation == "grows":
        allowed = min(allowed + 1, target - int(ranks.sum()))
        order = np.argsort(-scores)
        chosen = [int(i) for i in order[:allowed]]
        threshold = float(scores[order[allowed - 1]])
        after[chosen] += 1
        rule = "linear"
    else:
        # All triplets are compared at every event; those that were pruned have next to no importance.
        owner = np.repeat(np.arange(len(ranks)), START["prunes"]).astype(np.uint16)
        held = np.tile(np.arange(START["prunes"]), len(ranks)) < ranks[owner]
        noise = np.exp(rng.normal(0, 0.6, len(owner))) * np.where(held, 1, 1e-3)
        units = (scores[owner] * noise).astype(np.float32)
        allowed = max(target, int(ranks.sum()) - 3)
        order = np.argsort(-units)
        threshold = float(units[order[allowed]])  # what is above it is kept
        after = np.bincount(owner[order[:allowed]], minlength=len(ranks)).astype(np.uint16)
        chosen = [int(i) for i in np.flatnonzero(after != before)]
        rule = "budget"
    total = int(after.sum())
    return RankEvent(t, rule, threshold, allowed, chosen, total, total * 128, total * 1024, scores, after, before,
                     units, owner)  # fmt: skip


def _shape(t: int, ranks: Any, core: str, rng: np.random.Generator) -> Geometry:
    singular = np.concatenate([np.sort(rng.gamma(2, 0.1, int(r)))[::-1] for r in ranks] or [np.zeros(0)])
    size = {"triangular": lambda r: r * r, "diagonal": lambda r: r, "none": lambda r: 0}[core]
    inner = [np.tril(rng.normal(0, 0.3, (r, r))).ravel() if core == "triangular" else rng.normal(0, 0.3, size(r))
             for r in map(int, ranks)]  # fmt: skip
    return Geometry(t, ranks.copy(), singular.astype(np.float32), np.concatenate(inner).astype(np.float32))


class Race:
    """Four made-up runs, and frames of them up to any step."""

    def __init__(self, *, layers: int = 4, steps: int = 600, methods: tuple[str, ...] = AT_FIRST) -> None:
        self.runs = {method: made_up_run(method, layers=layers, steps=steps) for method in methods}

    def until(self, method: str, step: int) -> list[Stamped]:
        return [row for row in self.runs[method] if row.event.step <= step]

    def frame(self, step: int, *, after: int | None = None, view: str = "race", state: str = "running",
              generation: int = 1) -> bytes:  # fmt: skip
        """Everything up to `step`, or what came after step `after`."""
        parts = []
        for method in self.runs:
            rows = self.until(method, step)
            known = 0 if after is None else max((row.seq for row in self.until(method, after)), default=0)
            status = {"state": state, "speed": 41.7, "eta": 12.0}
            parts.append(run_frame(method, rows, after=known, generation=generation, status=status))
        return board_frame(view, parts, full=after is None)


class Server:
    """Serves the board's files, Plotly, a page and whatever frames a test puts into `frames`."""

    def __init__(self) -> None:
        self.frames: dict[str, bytes] = {}
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                kind, body = server.answer(self.path)
                self.send_response(200 if kind else 404)
                self.send_header("Content-Type", kind or "text/plain")
                self.send_header("Content-Length", str(len(body)))
                if kind and "plotly" in self.path:
                    self.send_header("Cache-Control", "max-age=3600")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}"

    @cached_property
    def plotly(self) -> bytes:
        return get_plotlyjs().encode()

    def answer(self, path: str) -> tuple[str, bytes]:
        path = path.partition("?")[0]
        if path == "/":
            return "text/html", PAGE.encode()
        if path == "/static/plotly.min.js":
            return "text/javascript", self.plotly
        name = path.removeprefix("/static/board-1/")
        if path.startswith("/static/board-1/") and BOARD.joinpath(name).is_file():
            return "text/css" if name.endswith(".css") else "text/javascript", BOARD.joinpath(name).read_bytes()
        if path.removeprefix("/frame/") in self.frames:
            return "application/octet-stream", self.frames[path.removeprefix("/frame/")]
        return "", b"not here"


PAGE = """<!doctype html><html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"><style>
html { --st-text-color: #31333f; --st-background-color: #ffffff; --st-secondary-background-color: #f0f2f6;
  --st-primary-color: #ff4b4b; --st-font: sans-serif; }
html.dark { --st-text-color: #fafafa; --st-background-color: #0e1117; --st-secondary-background-color: #262730; }
body { margin: 0; padding: 12px; background: var(--st-background-color); }
</style></head><body><div id="host"></div><script type="module">
import mount, {Board} from "/static/board-1/board.js";
import {Pace} from "/static/board-1/pace.js";
// A test looks at once at what it delivered.
if (!new URLSearchParams(location.search).has("paced")) Pace.share = Infinity;
window.Board = Board;
window.asked = [];
const host = document.getElementById("host");
const where = new URLSearchParams(location.search).has("shadow") ? host.attachShadow({mode: "open"}) : host;
window.where = where;
const setStateValue = (name, copy) => window.asked.push(copy);
window.deliver = (data) => {
  window.cleanup = mount({parentElement: where, data, key: "board", setStateValue});
};
window.deliverNamed = async (name) => {
  const answer = await fetch("/frame/" + name);
  window.deliver(new Uint8Array(await answer.arrayBuffer()));
};
window.ready = true;
</script></body></html>"""


@contextmanager
def serving() -> Iterator[Server]:
    """A server on a free port of this machine, stopped at the end."""
    server = Server()
    thread = Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
        thread.join()


if __name__ == "__main__":
    with serving() as running:
        running.frames["full"] = Race().frame(600, state="finished")
        print(json.dumps({"address": running.address, "then": 'deliverNamed("full")'}))
        input("Enter ends it.")
