"""Time of a training step (forward, backward, optimizer) of each method against PEFT's LoRA and against no adapter.

All take one step in turn, in an order drawn anew each round, so that whatever else the machine does hits all alike,
even at regular intervals; a ratio is taken within each round and its median over the rounds counts. Weights are random,
nothing is downloaded.
"""

from __future__ import annotations

import gc
import random
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.step_contestants import (
    DENSE,
    FLOOR,
    GREW,
    LABELS,
    LORA,
    POSITIONS,
    RANK,
    SIZES,
    TRIADAPT,
    VOCABULARY,
    Contestant,
    Size,
    adapted,
    config_of,
    contestants,
    frozen,
    growing,
)
from benchmarks.tables import Cell, Table, main
from triadapt.methods.growing import decide_growth

THREADS = 2
ROUNDS, QUICK_ROUNDS, WARM_UP = 24, 3, 2
# A rank event is due about twice the warm-up after it; any step at which something is allowed to grow will do.
EVENT_STEP = 300


def seconds(work: Callable[[], object], device: str) -> float:
    """Wall-clock time of `work`, its kernels included."""
    if device == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def batches(size: Size, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids `(batch, tokens)` and labels `(batch,)`."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(1, VOCABULARY, (size.batch, size.tokens), generator=generator)
    return ids.to(device), torch.randint(0, LABELS, (size.batch,), generator=generator).to(device)


def kept_bytes(made: Contestant, ids: torch.Tensor, labels: torch.Tensor) -> int:
    """Bytes that one forward pass keeps for the backward pass, the model's own tensors not counted."""
    own = {tensor.untyped_storage().data_ptr() for tensor in [*made.model.parameters(), *made.model.buffers()]}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = made.loss(ids, labels)
    total = sum(storage.nbytes() for storage in kept.values())
    loss.backward()  # type: ignore[no-untyped-call]
    if made.run is not None:
        made.run.before_step(0)
    made.optimizer.zero_grad(set_to_none=True)
    return total


def step_times(size: Size, device: str, rounds: int) -> tuple[Table, float]:
    """One row a contestant, and the median time of TriAdaptLoRA's step in seconds."""
    base = frozen(size).to(device)
    ids, labels = batches(size, device)
    racing = {name: make() for name, make in contestants(base).items()}
    kept = {name: kept_bytes(made, ids, labels) for name, made in racing.items()}
    times: dict[str, list[float]] = {name: [] for name in racing}
    names, order = list(racing), random.Random(0)
    for turn in range(WARM_UP + rounds):
        for name in order.sample(names, len(names)):
            taken = seconds(lambda made=racing[name]: made.step(ids, labels), device)  # type: ignore[misc]
            if turn >= WARM_UP:
                times[name].append(taken)

    def ratio(name: str, other: str) -> float:
        return statistics.median(a / b for a, b in zip(times[name], times[other], strict=True))

    rows: list[tuple[Cell, ...]] = [
        (name, 1e3 * statistics.median(times[name]), ratio(name, LORA), ratio(name, FLOOR), kept[name] / 2**20)
        for name in names
    ]
    title = f"A training step, {size.label} size, {size.batch} x {size.tokens} tokens, {device_label(device)}"
    notes = [
        f"Rank {RANK} in {len(adapted(base))} matrices; {rounds} rounds; medians. Kept: by the forward pass for the "
        f"backward pass. The dense form takes {ratio(DENSE, TRIADAPT):.2f} times as long as TriAdaptLoRA."
    ]
    columns = ("method", "ms", "time, of LoRA's", "time, of the floor's", "kept, MiB")
    return Table(title, columns, rows, notes), statistics.median(times[TRIADAPT])


def decision_time(size: Size, device: str, step: float, repeats: int) -> tuple[Cell, ...]:
    """Row of one size: what it takes to score all matrices and decide who grows, against a step of `step` seconds."""
    base = frozen(size).to(device)
    made = growing(base, "triadaptlora", after_the_optimizer=False)
    run, config, matrices = made.run, config_of("triadaptlora"), adapted(base)

    def decide() -> Any:
        return decide_growth(
            config, step=EVENT_STEP, scores=run.event_scores(), ranks=run.ranks(), matrices=matrices, rule=config.growth
        )

    decision, _ = decide()
    if not decision.chosen:
        raise RuntimeError(f"step {EVENT_STEP} lets no matrix grow: nothing was decided")
    taken = statistics.median(seconds(decide, device) for _ in range(repeats))
    share = 100 * taken / step
    return size.label, len(matrices), 1e3 * taken, share, share / config.interval


def device_label(device: str) -> str:
    """For the title of a table."""
    return f"{THREADS} threads" if device == "cpu" else torch.cuda.get_device_name()


def measure(quick: bool = False) -> list[Table]:
    """A table for each size and device, and one of what decisions cost."""
    torch.set_num_threads(THREADS)
    tables, rows = [], []
    for device in ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]:
        for size in SIZES:
            rounds = QUICK_ROUNDS if quick else round(ROUNDS * size.share)
            table, step = step_times(size, device, rounds)
            tables.append(table)
            gc.collect()
            label, *rest = decision_time(size, device, step, 5 if quick else 50)
            rows.append((f"{label}, {device_label(device)}", *rest))
    tables[-1].notes.append(
        f"Dropout is off. {FLOOR}: backward runs down to one bias of the embeddings. {POSITIONS}: it also reaches the "
        f"queries and keys of the relative positions, which every adapter here needs. AdaLoRA's and IncreLoRA's steps "
        f"include their orthogonality term, and scoring forms the gradient of dW; {GREW.partition(', ')[2]}: the steps "
        f"of new entries are corrected."
    )
    interval = config_of("triadaptlora").interval
    tables.append(
        Table(
            "TriAdaptLoRA: scoring and deciding",
            ("size", "matrices", "ms an event", "% of a step", f"% of {interval} steps"),
            rows,
            [f"Norms of L + U of all matrices, threshold, choice; an event every {interval} steps."],
        )
    )
    return tables


if __name__ == "__main__":
    sys.exit(main("step_time", __doc__.splitlines()[0], measure))
