"""What RankRecorder costs a training: two equal trainings go side by side under `RankGrowth`, one of them recorded.

Each step is taken by both, in an order drawn anew, so that whatever else the machine does hits both alike, and all is
done twice, for of two equal models in one process one may be a percent faster for good. The recorded one's time over
the other's is the cost of that step. Steps at which the recorder does the same make a kind: its median counts, and the
mean of these by how often each kind comes is the cost of a step. A clock around the recorder's hooks tells it, too, and
more surely where steps differ by more than it takes. Weights are random, nothing is downloaded.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from peft import AdaLoraConfig, PeftConfig, get_peft_model
from transformers import BertConfig, BertForSequenceClassification

from benchmarks.step_contestants import ADAPTED, LABELS, LEARNING_RATE, SIZES, VOCABULARY, Size
from benchmarks.step_time import batches, seconds
from benchmarks.tables import Cell, Table, main
from triadapt import IncreLoraConfig, RankGrowth, RankRecorder, TriAdaptLoraConfig
from triadapt.training.watched_adapter import WatchedAdapter

THREADS = 1  # threads of a step wait for each other, and on a busy machine that takes longer than the step
WARM_UP = 5  # steps that are taken and not counted
INTERVAL = 20  # steps between rank events
STEPS, TINY_STEPS, QUICK_STEPS = 60, 500, 45
RESAMPLES = 2000
MOST = 2.0  # percent of a step that recording may cost on a model of a size in use
METHODS = ("TriAdaptLoRA", "IncreLoRA", "AdaLoRA")


def _tiny() -> Any:
    return BertForSequenceClassification(BertConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, vocab_size=VOCABULARY,
        num_labels=LABELS, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    ))  # fmt: skip


MINILM, DEBERTA = replace(SIZES[0], tokens=64), SIZES[1]
TINY = Size("two layers 16 wide", _tiny, 8, 8, 1.0)


def adapter(method: str, steps: int) -> tuple[PeftConfig, dict[str, int]]:
    """The adapter, and how `RankGrowth` drives it: events from step 20 on while there is budget, or, with AdaLoRA, up
    to the last quarter."""
    if method == "AdaLoRA":
        pruned = {"tinit": 10, "tfinal": steps // 4, "deltaT": INTERVAL, "total_step": steps}
        return AdaLoraConfig(init_r=6, target_r=4, target_modules=list(ADAPTED), **pruned), {}
    kind = {"TriAdaptLoRA": TriAdaptLoraConfig, "IncreLoRA": IncreLoraConfig}[method]
    grown = {"warmup": 10, "interval": INTERVAL, "top_h": 8}
    return kind(target_modules=list(ADAPTED), reference_rank=4), grown


class Training:
    """A model with an adapter, its optimizer, and what changes the ranks."""

    def __init__(self, size: Size, method: str, steps: int, device: str) -> None:
        torch.manual_seed(0)
        config, schedule = adapter(method, steps)
        self.model: Any = get_peft_model(size.build(), config).to(device)
        self.optimizer = torch.optim.AdamW([p for p in self.model.parameters() if p.requires_grad], lr=LEARNING_RATE)
        self.growth = RankGrowth(self.model, self.optimizer, total_step=steps, **schedule)
        self.ids, self.labels = batches(size, device)

    def step(self) -> None:
        """Forward, backward, optimizer."""
        self.model(input_ids=self.ids, labels=self.labels).loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


class Clock:
    """Seconds spent in the recorder's hooks since it was last read."""

    def __init__(self) -> None:
        self.spent = 0.0

    def read(self) -> float:
        """Read it and set it back."""
        spent, self.spent = self.spent, 0.0
        return spent

    @contextmanager
    def running(self) -> Iterator[None]:
        """Measure every recorder that is made within."""
        guarded = WatchedAdapter._guarded

        def timed(adapter: WatchedAdapter, hook: Callable[..., None]) -> Callable[..., None]:
            inner = guarded(adapter, hook)

            def measured(*args: Any, **given: Any) -> None:
                start = time.perf_counter()
                inner(*args, **given)
                self.spent += time.perf_counter() - start

            return measured

        WatchedAdapter._guarded = timed  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            WatchedAdapter._guarded = guarded  # type: ignore[method-assign]


@dataclass(frozen=True)
class Pair:
    """One step of both trainings, in seconds, and what of it was spent in the recorder. kind: what is recorded then."""

    kind: str
    alone: float
    recorded: float
    within: float


def pairs(size: Size, method: str, steps: int, device: str, *, recorded_first: bool) -> list[Pair]:
    """Train; a pair for each step. recorded_first: which of the two models is made first."""
    order, clock = random.Random(0), Clock()
    found: list[Pair] = []
    with tempfile.TemporaryDirectory() as runs, warnings.catch_warnings(), clock.running():
        warnings.simplefilter("ignore")
        made = [Training(size, method, steps, device) for _ in range(2)]
        watched, alone = made if recorded_first else reversed(made)
        with RankRecorder(watched.model, watched.optimizer, runs=runs) as recorder:
            for number in range(steps):
                events = len(watched.growth.allocations)
                both = order.sample([alone, watched], 2)
                times = {training: seconds(training.step, device) for training in both}
                event = len(watched.growth.allocations) > events
                kind = "event" if event else _kind(number, steps, recorder)
                found.append(Pair(kind, times[alone], times[watched], clock.read()))
        if recorder.folder is None:
            raise RuntimeError(f"{size.label}, {method}: nothing was recorded")
    return found


def _kind(number: int, steps: int, recorder: RankRecorder) -> str:
    if (number + 1) % recorder.geometry_every == 0 or number + 1 == steps:
        return "geometry"
    return "scores" if number % recorder.scores_every == 0 else "loss"


def cost(found: list[Pair], draw: random.Random | None = None) -> float:
    """Percent that a recorded step takes longer. With `draw`, of a sample of the pairs, drawn anew within each kind."""
    kinds: dict[str, list[Pair]] = {}
    for pair in found:
        kinds.setdefault(pair.kind, []).append(pair)
    if draw is not None:
        kinds = {kind: draw.choices(same, k=len(same)) for kind, same in kinds.items()}
    more = sum(len(same) * statistics.median(p.recorded - p.alone for p in same) for same in kinds.values())
    return 100 * more / len(found) / statistics.median(pair.alone for pair in found)


def cost_interval(found: list[Pair], resamples: int) -> tuple[float, float]:
    """95 % bootstrap interval of `cost`."""
    draw = random.Random(0)
    costs = sorted(cost(found, draw) for _ in range(resamples))
    return costs[int(0.025 * len(costs))], costs[int(0.975 * len(costs))]


def row(size: Size, method: str, steps: int, device: str, target: float | None) -> tuple[Cell, ...]:
    """One line of the table."""
    both = [pairs(size, method, steps, device, recorded_first=first) for first in (False, True)]
    found = [pair for one in both for pair in one[WARM_UP:]]
    step = statistics.median(pair.alone for pair in found)
    low, high = cost_interval(found, RESAMPLES if steps > QUICK_STEPS else RESAMPLES // 20)
    # On a GPU the clock also measures the wait for the kernels of the step itself.
    within = statistics.fmean(pair.within for pair in found) if device == "cpu" else None
    share = 100 * within / step if within is not None else None
    held = "-" if target is None else f"at most {target:g} %: {'yes' if high <= target else 'no'}"
    return (
        f"{size.label}, {size.batch} x {size.tokens} tokens, {method}", 1e3 * step, f"{cost(found):.2f}",
        f"{low:.2f} to {high:.2f}", None if within is None else round(1e6 * within),
        "-" if share is None else f"{share:.2f}", 1e3 * min(one[0].within for one in both), held,
    )  # fmt: skip


def measure(quick: bool = False) -> list[Table]:
    """The table."""
    torch.set_num_threads(THREADS)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    steps, tiny_steps = (QUICK_STEPS, QUICK_STEPS) if quick else (STEPS, TINY_STEPS)
    rows = [row(MINILM, method, steps, device, MOST) for method in METHODS]
    if device == "cuda" and not quick:
        rows += [row(DEBERTA, method, steps, device, MOST) for method in METHODS]
    rows += [row(TINY, method, tiny_steps, device, None) for method in METHODS]
    note = (
        f"Twice {steps} steps, {tiny_steps} of the smallest model, which nobody uses and which shows what is paid at "
        f"least. A rank event every {INTERVAL} steps while one is due, importance recorded every 10 steps, singular "
        f"values at events and every 50. Longer: medians of the paired steps by what was recorded at them, with the "
        f"95 % bootstrap interval; a target is held when all of the interval holds it. To begin: once, at the first "
        f"step."
    )
    columns = (
        "training", "ms a step", "recorded, % longer", "95 % interval", "within the recorder, µs a step",
        "% of the step", "to begin, ms", "target",
    )  # fmt: skip
    where = torch.cuda.get_device_name() if device == "cuda" else "one thread"
    return [Table(f"A training of one's own, recorded, {where}", columns, rows, [note])]


if __name__ == "__main__":
    sys.exit(main("recorder", __doc__.splitlines()[0], measure))
