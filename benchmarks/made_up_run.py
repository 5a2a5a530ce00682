"""Stored events of a run that never happened: as many and as large as a real one has, which is all a payload shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from triadapt.config import RunConfig
from triadapt.events import Evaluation, Event, Geometry, Matrix, RankEvent, Scores, Stamped, Started, Step
from triadapt.growth.preview import preview
from triadapt.methods.registry import METHODS

METRIC = "relative loss"
MODULES = ("q", "k", "v", "o", "up", "down")
GATED = ("q", "k", "v", "o", "gate", "up", "down")
CORES = {"triadaptlora": "triangular", "increlora": "diagonal", "adalora": "diagonal", "lora": "none"}


def made_up_run(
    config: RunConfig, matrices: int, steps_a_second: float, modules: Sequence[str] = MODULES
) -> list[Stamped]:
    """Events of the whole run, in order, at that speed. `modules`: the adapted places of a layer; `matrices` is a
    multiple of their number."""
    rng = np.random.default_rng(config.seed)
    spec, core = METHODS[config.method], CORES[config.method]
    plan = preview(config, matrices)
    due = {row["step"]: row for row in plan.rows}
    ranks = np.full(matrices, plan.start // matrices, np.uint16)
    places = [(layer, module) for layer in range(matrices // len(modules)) for module in modules]
    where = [Matrix(f"blocks.{layer}.{module}", layer, module, (64, 64), 0) for layer, module in places]
    events: list[Event] = [
        Started(
            step=0, config=config.as_dict(), matrices=where, method=config.method, task=config.task,
            allocation=spec.allocation, core_kind=core, metric=METRIC, higher_is_better=False,
            total_step=config.steps, start_total_rank=plan.start, target_total_rank=plan.target,
            trainable_parameters=plan.start * 128, planned=list(due), device="cpu",
        )
    ]  # fmt: skip
    for step in range(config.steps):
        events.append(Step(step, float(rng.random()), config.learning_rate))
        scores = rng.random(matrices, np.float32)
        if step in due:
            before, ranks = ranks, _moved(ranks, int(due[step]["total_rank"]), rng)
            changed = [int(index) for index in np.flatnonzero(ranks != before)]
            parts = np.repeat(np.arange(matrices), before) if spec.allocation == "prunes" else np.zeros(0)
            events.append(
                RankEvent(
                    step=step, rule=config.growth, threshold=0.5, allowed=int(due[step]["allowed"]), chosen=changed,
                    total_rank=int(ranks.sum()), trainable_parameters=int(ranks.sum()) * 128,
                    optimizer_bytes=int(ranks.sum()) * 1024, scores=scores, ranks=ranks, before=before,
                    unit_scores=rng.random(len(parts), np.float32), unit_matrix=parts.astype(np.uint16),
                )
            )  # fmt: skip
        elif step % config.scores_every == 0 and spec.allocation != "fixed":
            events.append(Scores(step, scores))
        last = step + 1 == config.steps
        if step in due or last or (step + 1) % config.geometry_every == 0:
            inside = {"triangular": ranks.astype(int) ** 2, "diagonal": ranks, "none": ranks * 0}[core]
            events.append(
                Geometry(
                    step + 1, ranks, rng.random(int(ranks.sum()), np.float32), rng.random(int(inside.sum()), np.float32)
                )
            )
        if last or (step + 1) % config.eval_every == 0:
            metric, loss = rng.random(2).tolist()
            events.append(Evaluation(step + 1, {METRIC: metric, "loss": loss}))
    times = np.cumsum([isinstance(event, Step) for event in events]) / steps_a_second
    return [Stamped(seq, float(time), event) for seq, (time, event) in enumerate(zip(times, events, strict=True), 1)]


def _moved(ranks: np.ndarray, total: int, rng: np.random.Generator) -> np.ndarray:
    """Ranks with single units added or taken at random places until they sum to `total`."""
    moved = ranks.copy()
    while (gap := total - int(moved.sum())) != 0:
        free = np.arange(len(moved)) if gap > 0 else np.flatnonzero(moved)
        chosen = rng.permutation(free)[: abs(gap)]
        moved[chosen] = moved[chosen] + 1 if gap > 0 else moved[chosen] - 1
    return moved
