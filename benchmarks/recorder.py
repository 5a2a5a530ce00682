"""What RankRecorder costs a training: two equal models train in turn under `RankGrowth`, one of them recorded."""

from __future__ import annotations

import gc
import statistics
import sys
import tempfile
import time
import warnings
from typing import Any

import torch
from peft import PeftConfig, get_peft_model

from benchmarks.step_contestants import ADAPTED, LEARNING_RATE, SIZES, Size
from benchmarks.step_time import batches
from benchmarks.tables import Cell, Table, main
from triadapt import IncreLoraConfig, RankGrowth, RankRecorder, TriAdaptLoraConfig

THREADS = 2
BLOCK = 50  # steps: so long it takes to the next recording of singular values
ROUNDS, QUICK_ROUNDS = 6, 1
CONFIGS: dict[str, type[PeftConfig]] = {"TriAdaptLoRA": TriAdaptLoraConfig, "IncreLoRA": IncreLoraConfig}


class Training:
    """A model with an adapter that grows every ten steps while there is budget, and its optimizer."""

    def __init__(self, size: Size, kind: type[PeftConfig], device: str, steps: int) -> None:
        torch.manual_seed(0)
        self.model: Any = get_peft_model(size.build(), kind(target_modules=list(ADAPTED), reference_rank=4)).to(device)
        self.optimizer = torch.optim.AdamW([p for p in self.model.parameters() if p.requires_grad], lr=LEARNING_RATE)
        self.growth = RankGrowth(self.model, self.optimizer, total_step=steps, warmup=10, interval=10, top_h=8)

    def block(self, ids: torch.Tensor, labels: torch.Tensor, device: str) -> float:
        """Train for one block; seconds it took."""
        start = time.perf_counter()
        for _ in range(BLOCK):
            self.model(input_ids=ids, labels=labels).loss.backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start


def cost(size: Size, kind: type[PeftConfig], rounds: int, device: str) -> list[tuple[float, float]]:
    """Seconds of each block, unrecorded and recorded."""
    ids, labels = batches(size, device)
    found = []
    with tempfile.TemporaryDirectory() as runs, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        alone, watched = (Training(size, kind, device, BLOCK * (rounds + 1)) for _ in range(2))
        with RankRecorder(watched.model, watched.optimizer, runs=runs):
            for turn in range(rounds + 1):
                both = [alone, watched] if turn % 2 else [watched, alone]
                gc.collect()
                times = {training: training.block(ids, labels, device) for training in both}
                found.append((times[alone], times[watched]))
    return found[1:]  # the first is spent on warming up


def measure(quick: bool = False) -> list[Table]:
    """The table."""
    torch.set_num_threads(THREADS)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rows: list[tuple[Cell, ...]] = []
    for size in SIZES[:1] if quick or device == "cpu" else SIZES:
        for label, kind in CONFIGS.items():
            pairs = cost(size, kind, QUICK_ROUNDS if quick else ROUNDS, device)
            ratios = [watched / alone for alone, watched in pairs]
            step = statistics.median(alone for alone, _ in pairs) / BLOCK * 1000
            rows.append(
                (f"{size.label}, {label}", step, statistics.median(ratios), min(ratios), max(ratios), len(pairs))
            )
    note = (
        f"{device}, {THREADS} threads; blocks of {BLOCK} steps in turn, a rank event every 10 steps while there is "
        f"budget, importance recorded every 10 steps and singular values at events and every 50."
    )
    columns = ("training", "ms a step", "recorded over not, median", "least", "most", "blocks")
    return [Table("A training of one's own, recorded", columns, rows, [note])]


if __name__ == "__main__":
    sys.exit(main("recorder", __doc__.splitlines()[0], measure))
