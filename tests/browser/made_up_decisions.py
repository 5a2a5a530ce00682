"""Decisions that the rules themselves take over random importances: ties, negative and equal scores, matrices at full
size, budgets that run out. For the test that reads what the board says of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from triadapt.config import RunConfig, parse_config
from triadapt.events import Event, Geometry, Matrix, RankEvent, Stamped, Started
from triadapt.methods.growing import decide_growth
from triadapt.methods.interface import RankDecision
from triadapt.methods.registry import METHODS

MODULES = ("q", "k", "v")
CORES = {"triadaptlora": "triangular", "increlora": "diagonal", "adalora": "diagonal"}
FULL = 6  # size of the smaller side of every matrix
HELD = 3  # triplets of a matrix before any is pruned


def random_scores(rng: np.random.Generator, n: int) -> NDArray[np.float32]:
    """Importances of one of the kinds that occur."""
    match rng.integers(5):
        case 0:
            values = rng.normal(0, 0.05, n)
        case 1:
            values = 10.0 ** rng.uniform(-12, -6, n)
        case 2:
            values = rng.integers(0, 4, n).astype(float)  # ties
        case 3:
            values = np.full(n, 0.25)
        case _:
            values = -(10.0 ** rng.uniform(-5, 2, n))
    return values.astype(np.float32)


def made_up_decisions(seed: int, events: int = 12) -> list[Stamped]:
    """A run of `events` allocations that have nothing to do with each other, a spectrum measured between them."""
    rng = np.random.default_rng(seed)
    method = ("triadaptlora", "increlora", "adalora")[seed % 3]
    add_r = int(rng.integers(1, 4))
    published = bool(rng.integers(2)) and method != "adalora"
    growth = ("linear", "non-linear", "fixed")[rng.integers(3)]
    top_h = int(rng.integers(1, 12))
    config = parse_config(
        {"method": method, "task": "planted", "steps": 1000, "warmup": 10, "interval": 10, "reference_rank": 3,
         "add_r": add_r, "growth": growth, "top_h": top_h,
         **({method: {"behaviour": "reference"}} if published else {})}
    )  # fmt: skip
    n = 3 * int(rng.integers(2, 5))
    truth = [None, 0, 2, 4] if rng.integers(2) else [None]
    where = [
        Matrix(f"{i // 3}.{MODULES[i % 3]}", i // 3, MODULES[i % 3], (FULL, 8), truth[rng.integers(len(truth))])
        for i in range(n)
    ]
    start = n * (HELD if method == "adalora" else 1)
    rows: list[Event] = [
        Started(0, config.as_dict(), where, method, "planted", METHODS[method].allocation, CORES[method], "error",
                False, 1000, start, 3 * n, 99, [20], "cpu")
    ]  # fmt: skip
    for step in range(20, 20 + 70 * events, 70):
        event = pruned(rng, step, n) if method == "adalora" else grown(rng, step, config, where)
        rows.append(event)
        if rng.integers(3):
            rows.append(_measured(rng, step + int(rng.integers(1, 3)), event.ranks))
    return [Stamped(seq, float(seq), event) for seq, event in enumerate(rows, start=1)]


def grown(rng: np.random.Generator, step: int, config: RunConfig, where: list[Matrix]) -> RankEvent:
    """What a growing method decides; a few matrices may be at full size, and little of the budget left."""
    n = len(where)
    before = rng.integers(1, 4, n).astype(np.uint16)
    before[rng.random(n) < 0.2] = FULL
    while before.sum() >= config.reference_rank * n:
        before[rng.choice(np.flatnonzero(before > 1))] -= 1
    scores = random_scores(rng, n)
    rule = "top-h" if config.method == "increlora" else config.growth
    decision, grants = decide_growth(config, step=step, scores=scores, ranks=before, matrices=where, rule=rule)
    after = before.copy()
    for index, gain in grants:
        after[index] += gain
    return _event(step, decision, before, after)


def pruned(rng: np.random.Generator, step: int, n: int) -> RankEvent:
    """What AdaLoRA decides: triplets above the largest that has to go are kept, those tied with it are not."""
    owner = np.repeat(np.arange(n), HELD).astype(np.uint16)
    units = random_scores(rng, n * HELD)
    budget = int(rng.integers(1, n * HELD))
    threshold = float(np.sort(units)[len(units) - budget - 1])
    before = rng.integers(0, HELD + 1, n).astype(np.uint16)
    after = np.bincount(owner[units > threshold], minlength=n).astype(np.uint16)
    changed = np.abs(before.astype(int) - after.astype(int))
    chosen = tuple(int(i) for i in np.argsort(-changed, kind="stable") if changed[i])
    scores = np.bincount(owner, units, minlength=n).astype(np.float32)
    decision = RankDecision("budget", scores, threshold, budget, chosen, units, owner)
    return _event(step, decision, before, after)


def _event(step: int, decision: RankDecision, before: NDArray[Any], after: NDArray[Any]) -> RankEvent:
    total = int(after.sum())
    return RankEvent(step, decision.rule, decision.threshold, decision.allowed, list(decision.chosen), total, 9, 9,
                     decision.scores, after, before, decision.unit_scores, decision.unit_matrix)  # fmt: skip


def _measured(rng: np.random.Generator, steps_done: int, ranks: NDArray[Any]) -> Geometry:
    singular = np.concatenate([np.sort(rng.exponential(10.0 ** -rng.integers(0, 3), int(r)))[::-1] for r in ranks])
    return Geometry(steps_done, ranks.copy(), singular.astype(np.float32), np.zeros(0, np.float32))
