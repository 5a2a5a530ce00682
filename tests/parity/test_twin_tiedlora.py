"""Tied-LoRA and its slow twin train alike for 60 steps in float64, in every configuration."""

from __future__ import annotations

import typing
from typing import Any

import pytest
import torch

from triadapt.config import parse_config
from triadapt.methods.tiedlora.run import Run
from triadapt.methods.tiedlora.settings import Trains
from triadapt.reference import TiedLoraTwin, dense_forward
from triadapt.training.session import build_task

STEPS = 60


def leaf(values: torch.Tensor) -> torch.Tensor:
    return values.detach().double().clone().requires_grad_()


def twin_of(run: Run, trains: str, scale: float) -> TiedLoraTwin:
    layers: dict[str, Any] = {matrix.name: layer for matrix, layer in zip(run.matrices, run.layers, strict=True)}
    shapes = {matrix.name: matrix.shape for matrix in run.matrices}
    one = {shapes[name]: layer for name, layer in layers.items()}
    return TiedLoraTwin(
        A={shape: leaf(layer.tiedlora_A["default"].weight) for shape, layer in one.items()},
        B={shape: leaf(layer.tiedlora_B["default"].weight) for shape, layer in one.items()},
        shape=shapes,
        u={name: leaf(layer.tiedlora_u_vector["default"].weight) for name, layer in layers.items()},
        v={name: leaf(layer.tiedlora_v_vector["default"].weight) for name, layer in layers.items()},
        scale=scale,
        trains=trains,
    )


@pytest.mark.parametrize("trains", typing.get_args(Trains))
def test_the_tuner_and_its_twin_train_alike(trains: str) -> None:
    config = parse_config({
        "method": "tiedlora", "steps": STEPS, "batch_size": 8, "seed": 5, "reference_rank": 3,
        "planted": {"blocks": 2, "width": 16, "heads": 2, "tokens": 4, "pool": 64, "held_out": 16},
        "tiedlora": {"trains": trains, "rank": 5},
    })  # fmt: skip
    task = build_task(config, "cpu")
    matrices = task.matrices()
    run = Run(Run.adapt(task.build_model(), matrices, config, []), matrices, config)
    run.model.double()
    base = task.build_model().double()
    twin = twin_of(run, trains, config.alpha / config.reference_rank)
    assert len(twin.A) == 3 and len(twin.u) == 12
    fast = torch.optim.AdamW([p for p in run.model.parameters() if p.requires_grad], lr=0.01, weight_decay=0)
    slow = torch.optim.AdamW(twin.parameters(), lr=0.01, weight_decay=0)
    assert sum(p.numel() for p in twin.parameters()) == run.parameter_count()

    def dense(*args: Any) -> Any:
        return dense_forward(base, twin.deltas(), *args)

    slow_model: Any = dense
    losses = []
    for step in range(STEPS):
        batch = tuple(part.double() for part in task.batch(step))
        of_fast, of_slow = task.loss(run.model, batch), task.loss(slow_model, batch)
        (of_fast + of_slow).backward()  # type: ignore[no-untyped-call]
        for optimizer in (fast, slow):
            optimizer.step()
            optimizer.zero_grad()
        assert of_slow.item() == pytest.approx(of_fast.item(), rel=1e-7), step
        losses.append(of_fast.item())
    assert losses[-1] < losses[0]
    x = torch.randn(3, 4, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(run.model.eval()(x), dense(x), rtol=1e-6, atol=1e-9)
    for layer, delta in zip(run.layers, twin.deltas().values(), strict=True):
        torch.testing.assert_close(layer.get_delta_weight("default"), delta, rtol=1e-5, atol=1e-9)
