"""The preview of a schedule against the code that decides in a run, with scores drawn at random."""

from __future__ import annotations

import random
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from peft.tuners.adalora.layer import RankAllocator
from tiny_runs import SIZE, tiny
from torch import nn

from triadapt.config import AllocationConfig, ConfigError, RunConfig, parse_allocation, parse_config
from triadapt.events import Matrix, RankEvent, Started
from triadapt.growth.parameters import parameters_along
from triadapt.growth.preview import matrices_of, preview, shapes_of
from triadapt.methods.adalora.run import Run as AdaLoraRun
from triadapt.methods.increlora.run import Run as IncreLoraRun
from triadapt.methods.triadaptlora.run import Run as TriAdaptRun
from triadapt.tasks.planted.task import PlantedTask
from triadapt.tasks.text.settings import Settings as TextSettings
from triadapt.training.train import train

SCHEDULES = 500
SHAPES = ((64_000, 40_000), (50_000, 50_000), (64_000, 64_000))  # too large to fill up


class _WithoutLayers:
    """A run whose matrices are numbers: what decides about them is the method's own."""

    def __init__(self, config: AllocationConfig, shapes: list[tuple[int, int]], draw: np.random.Generator) -> None:
        self.config, self.adapter, self.draw = config, "default", draw
        self.matrices = [Matrix(f"layers.{i}.q", i, "q", shape) for i, shape in enumerate(shapes)]
        self.layers = [SimpleNamespace(observing=False)] * len(shapes)
        self.blocks = [[1] for _ in shapes]

    def ranks(self) -> NDArray[np.uint16]:
        return np.array([sum(blocks) for blocks in self.blocks], np.uint16)

    def event_scores(self) -> NDArray[np.float32]:
        return self.draw.permutation(len(self.blocks)).astype(np.float32)

    def growth_generator(self, step: int, index: int) -> None:
        return None

    def grow(self, index: int, gain: int, generator: None) -> None:
        self.blocks[index].append(gain)

    def after_growth(self) -> None:
        pass

    def parameters(self) -> int:
        """As the layers count them (`parameter_count`)."""
        total = 0
        for matrix, blocks in zip(self.matrices, self.blocks, strict=True):
            rank, width = sum(blocks), sum(matrix.shape)
            if isinstance(self, TriAdaptRun):
                total += rank * width + 2 * sum(size * sum(blocks[: i + 1]) for i, size in enumerate(blocks))
            else:
                total += rank * (width + 1)
        return total


class _TriAdapt(_WithoutLayers, TriAdaptRun):  # type: ignore[misc]
    pass


class _Incre(_WithoutLayers, IncreLoraRun):  # type: ignore[misc]
    pass


def schedule(rng: random.Random, method: str, growth: str) -> AllocationConfig:
    steps = rng.randint(1, 400)
    values: dict[str, Any] = {
        "method": method, "growth": growth, "steps": steps, "warmup": rng.randint(0, steps + 5) if rng.random() < 0.2
        else rng.randint(0, steps // 2), "interval": rng.choice([1, 2, rng.randint(1, 60)]),
        "reference_rank": rng.randint(1, 9), "top_h": rng.randint(1, 12), "add_r": rng.choice([1, 1, 2, 3, 5]),
        method: {"behaviour": rng.choice(["improved", "improved", "reference"])},
    }  # fmt: skip
    return parse_allocation(values)


@pytest.mark.parametrize(
    ("method", "growth"),
    [
        ("triadaptlora", "linear"),
        ("triadaptlora", "non-linear"),
        ("triadaptlora", "fixed"),
        ("increlora", "linear"),
    ],
)
def test_a_run_decides_event_by_event_what_the_preview_of_a_random_schedule_says(method: str, growth: str) -> None:
    rng = random.Random(f"{method} {growth}")
    fired = 0
    for number in range(SCHEDULES):
        config = schedule(rng, method, growth)
        shapes = [rng.choice(SHAPES) for _ in range(rng.randint(1, 15))]
        kind = _TriAdapt if method == "triadaptlora" else _Incre
        run: Any = kind(config, shapes, np.random.default_rng(number))
        seen = preview(config, len(shapes))
        bounds = parameters_along(config, seen, shapes)
        assert bounds[0].least == bounds[0].even == bounds[0].most == run.parameters()
        expected = [(row["step"], row["allowed"], row["change"], row["total_rank"]) for row in seen.rows]
        happened, total = [], len(shapes)
        for step in range(config.steps):
            decision = run.before_step(step) or run.after_step(step)
            if decision is not None:
                after = int(run.ranks().sum())
                happened.append((step, decision.allowed, after - total, after))
                total = after
                bound = bounds[len(happened)]
                assert bound.least <= run.parameters() <= bound.most and bound.least <= bound.even <= bound.most
        assert happened == expected, config
        fired += bool(happened)
    assert fired > SCHEDULES / 2


class _Layers(nn.Module):
    def __init__(self, count: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(3, 3, bias=False) for _ in range(count))


def test_a_run_prunes_event_by_event_as_the_preview_of_a_random_schedule_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """PEFT's allocator on its own model; only the averages behind the scores stay those of the first step."""
    rng, update = random.Random(3), RankAllocator.update_ipt

    def update_once(allocator: RankAllocator, model: nn.Module) -> None:
        if not allocator.exp_avg_ipt:
            update(allocator, model)

    monkeypatch.setattr(RankAllocator, "update_ipt", update_once)
    torch.manual_seed(0)
    checked, fired, models = 0, 0, dict[tuple[int, int], Any]()
    while checked < SCHEDULES:
        steps = rng.randint(2, 60)
        values: dict[str, Any] = {
            "method": "adalora", "steps": steps, "warmup": rng.randint(0, steps), "interval": rng.randint(1, 15),
            "reference_rank": rng.randint(1, 6),
            "adalora": {"final_share": rng.choice([0.0, 0.25, round(rng.random() * 0.9, 3)]),
                        "init_rank_ratio": rng.choice([1.5, 2.0, 1.2])},
        }  # fmt: skip
        try:
            config = parse_allocation(values)
        except ConfigError:
            assert values["warmup"] >= steps - round(values["adalora"]["final_share"] * steps)
            continue
        n = rng.randint(1, 3)
        matrices = [Matrix(f"layers.{i}", i, "q", (3, 3)) for i in range(n)]
        wanted = AdaLoraRun.peft_config(config, [matrix.name for matrix in matrices])
        model = models.get((n, wanted.init_r))
        if model is None:
            model = models[n, wanted.init_r] = AdaLoraRun.adapt(_Layers(n), matrices, config, [])
            for parameter in model.parameters():
                parameter.grad = torch.rand_like(parameter) if parameter.requires_grad else None
        model.peft_config["default"] = wanted
        model.base_model.rankallocator = RankAllocator(model.base_model.model, wanted, "default")
        run = AdaLoraRun(model, matrices, config)
        seen = preview(config, n)
        bounds = parameters_along(config, seen, [(3, 3)] * n)
        assert int(run.ranks().sum()) == seen.start and run.parameter_count() == bounds[0].even
        happened, total = [], seen.start
        for step in range(steps):
            decision = run.after_step(step)
            if decision is not None:
                after = int(run.ranks().sum())
                happened.append((step, decision.allowed, after - total, after))
                total = after
                bound = bounds[len(happened)]
                assert bound.least <= run.parameter_count() <= bound.most
        assert happened == [(row["step"], row["allowed"], row["change"], row["total_rank"]) for row in seen.rows], (
            config
        )
        checked += 1
        fired += bool(happened)
    assert fired > SCHEDULES / 2


@pytest.mark.parametrize("method", ["triadaptlora", "increlora", "adalora", "lora"])
def test_a_whole_run_has_as_many_parameters_as_the_bounds_say(method: str) -> None:
    config = tiny(method, add_r=2, reference_rank=4)
    events = list(train(config))
    shapes = shapes_of(config)
    assert shapes is not None
    counts = parameters_along(config, preview(config), shapes)
    happened = [events[0], *(event for event in events if isinstance(event, RankEvent))]
    assert len(happened) == len(counts)
    for event, count in zip(happened, counts, strict=True):
        assert isinstance(event, Started | RankEvent)
        assert count.least <= event.trainable_parameters <= count.most
        if event is events[0] or method == "lora":
            assert count.least == count.even == count.most == event.trainable_parameters


def test_the_shapes_of_a_task_are_known_without_its_model() -> None:
    config = parse_config({"planted": SIZE})
    settings = config.task_settings
    task = PlantedTask(settings=settings, seed=1, batch_size=4, steps=1, device="cpu")  # type: ignore[arg-type]
    assert shapes_of(config) == [matrix.shape for matrix in task.matrices()]
    assert matrices_of(config) == 6
    assert len(TextSettings().matrix_shapes() or ()) == 36
    other = RunConfig(task="text", text={"model": "somewhere/else"})  # type: ignore[call-arg]
    assert shapes_of(other) is None and matrices_of(other) == 36
    assert shapes_of(parse_allocation({})) is None


def test_a_brief_preview_has_the_last_rows_and_all_problems() -> None:
    rng = random.Random(5)
    for _ in range(200):
        steps = rng.randint(2, 200)
        values = {
            "method": "adalora",
            "steps": steps,
            "warmup": rng.randint(0, steps // 2),
            "interval": rng.randint(1, 40),
        }
        config = parse_allocation({**values, "adalora": {"final_share": rng.choice([0.0, 0.25])}})
        whole, brief = (partial(preview, config, 6)(brief=on) for on in (False, True))
        assert brief.problems == whole.problems and brief.events == whole.events == len(whole.rows)
        assert [row["step"] for row in brief.rows] == [
            row["step"] for row in whole.rows[-len(brief.rows) :] if brief.rows
        ]
