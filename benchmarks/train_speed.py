"""Optimizer steps a second of each method on the planted task at its default size, on one thread.

All methods step in turn, in blocks of a few steps, so that whatever else the machine does hits all alike; the median
block counts. Growing methods grow meanwhile, as in any run, and evaluations, scores and geometry are included. The bare
loop is what one would write around PEFT's LoRA without this project.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch
from peft import LoraConfig, get_peft_model

from benchmarks.tables import Cell, Table, main
from triadapt.config import RunConfig, parse_config
from triadapt.methods.registry import METHODS
from triadapt.tasks.interface import Task
from triadapt.training.race import open_race

BLOCK = 20
LORA = "lora"
BARE = "LoRA, bare PEFT loop"


def bare_loop(task: Task, config: RunConfig) -> Callable[[int], None]:
    """PEFT's LoRA in the shortest training loop that does the same work; returns its step."""
    targets = [matrix.name for matrix in task.matrices()]
    model = get_peft_model(
        task.build_model(),
        LoraConfig(r=config.reference_rank, lora_alpha=config.alpha, target_modules=targets),
    )
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=config.learning_rate, weight_decay=0.0, fused=True)

    def step(number: int) -> None:
        loss = task.loss(model, task.batch(number))
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trainable, config.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def measure(quick: bool = False) -> list[Table]:
    """One row a method."""
    torch.set_num_threads(1)
    configs = [parse_config({"method": method, "threads": 1}) for method in METHODS]
    sessions = open_race(configs, [None] * len(configs))
    bare = bare_loop(sessions[0].task, configs[0])
    for session in sessions:
        session.open()
    seconds: dict[str, list[float]] = {name: [] for name in [*METHODS, BARE]}
    steps = BLOCK * (5 if quick else 20)  # of the 600 planned; the budget is reached before
    for first in range(0, steps, BLOCK):
        for session in sessions:
            start = time.perf_counter()
            for _ in range(BLOCK):
                session.advance()
            seconds[session.config.method].append(time.perf_counter() - start)
        start = time.perf_counter()
        for number in range(first, first + BLOCK):
            bare(number)
        seconds[BARE].append(time.perf_counter() - start)
    rows: list[tuple[Cell, ...]] = []
    for name, blocks in seconds.items():
        blocks, reference = blocks[1:], seconds[LORA][1:]  # the first block pays for first calls
        ratio = statistics.median(lora / own for own, lora in zip(blocks, reference, strict=True))
        label = METHODS[name].label if name in METHODS else name
        rows.append((label, BLOCK / statistics.median(blocks), ratio))
    title = "Training speed, planted task, 24 matrices, one thread"
    note = f"{steps} steps, blocks of {BLOCK} in turn; medians over blocks. LoRA is PEFT's, in this project's session."
    return [Table(title, ("method", "steps/s", "speed, of LoRA's"), rows, [note])]


if __name__ == "__main__":
    sys.exit(main("train_speed", __doc__.splitlines()[0], measure))
