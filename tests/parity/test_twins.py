"""The tuners and their slow twins train alike for 100 steps: loss, scores, ranks, outputs. In float64, so that what
differs is arithmetic and not rounding."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from triadapt.config import RunConfig, parse_config
from triadapt.growth.decision import event_due
from triadapt.methods.growing import decide_growth
from triadapt.methods.increlora.layer import RESERVE_VALUE, IncreLinear
from triadapt.methods.interface import RankDecision
from triadapt.methods.registry import METHODS
from triadapt.methods.triadaptlora.layer import TriAdaptLinear
from triadapt.reference import (
    AdaLoraTwin,
    Block,
    IncreLoraTwin,
    LoraTwin,
    TriAdaptLoraTwin,
    Triplet,
    Triplets,
    dense_forward,
)
from triadapt.training.session import build_task

STEPS = 100
# Adam's eps is the one thing that the correction of a grown entry's step leaves out; at its default the losses differ
# by one part in a million.
EPS = 1e-15
Draws = list[tuple[torch.Tensor, ...]]


def config_of(method: str, **values: Any) -> RunConfig:
    return parse_config({
        "method": method, "steps": STEPS, "warmup": 10, "interval": 6, "batch_size": 8, "learning_rate": 0.01,
        "seed": 5,
        "planted": {"blocks": 1, "width": 16, "heads": 2, "tokens": 4, "pool": 64, "held_out": 16}, **values,
    })  # fmt: skip


class Dense(nn.Module):
    """A frozen model under the dense updates of a twin."""

    def __init__(self, base: nn.Module, twin: Any) -> None:
        super().__init__()
        self.base, self.twin = base, twin

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return dense_forward(self.base, self.twin.deltas(), *args, **kwargs)


class Race:
    """One method twice: `run` is the tuner under its driver, `twin` the slow form, each with an AdamW of its own."""

    def __init__(self, config: RunConfig) -> None:
        self.config, self.task = config, build_task(config, "cpu")
        self.matrices = self.task.matrices()
        self.names = [matrix.name for matrix in self.matrices]
        run_class = METHODS[config.method].run_class()
        self.run = run_class(run_class.adapt(self.task.build_model(), self.matrices, config, []), self.matrices, config)
        self.run.model.double()
        trained = [p for p in self.run.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, lr=config.learning_rate, weight_decay=0.0, eps=EPS)
        self.run.bind_optimizer(self.optimizer)

    def set_twin(self, twin: Any) -> None:
        self.twin = twin
        self.dense = Dense(self.task.build_model().double(), twin)
        self.slow = torch.optim.AdamW(twin.parameters(), lr=self.config.learning_rate, weight_decay=0.0, eps=EPS)

    @property
    def layers(self) -> list[Any]:
        return self.run.layers  # type: ignore[attr-defined, no-any-return]

    def loss(self, model: nn.Module, step: int) -> torch.Tensor:
        return self.task.loss(model, tuple(part.double() for part in self.task.batch(step)))

    def fast_step(self, step: int) -> tuple[float, RankDecision | None]:
        loss = self.loss(self.run.model, step)
        extra = self.run.regulariser()
        (loss if extra is None else loss + extra).backward()  # type: ignore[no-untyped-call]
        assert self.run.before_step(step) is None
        self.optimizer.step()
        decision = self.run.after_step(step)
        self.optimizer.zero_grad()
        return loss.item(), decision

    def slow_loss(self, step: int, extra: torch.Tensor | None = None) -> float:
        loss = self.loss(self.dense, step)
        (loss if extra is None else loss + extra).backward()  # type: ignore[no-untyped-call]
        return loss.item()

    def decide(
        self, step: int, scores: Iterable[float], rule: str
    ) -> tuple[RankDecision, list[tuple[int, int]]] | None:
        ranks = np.array(list(self.twin.ranks().values()), np.uint16)
        if not event_due(self.config, step, int(ranks.sum()), len(ranks)):
            return None
        values = np.array(list(scores), np.float32)
        return decide_growth(self.config, step=step, scores=values, ranks=ranks, matrices=self.matrices, rule=rule)

    def compare(self, step: int, fast: float, slow: float) -> None:
        assert slow == pytest.approx(fast, rel=1e-6), step
        assert list(self.twin.ranks().values()) == self.run.ranks().tolist()

    def compare_outputs(self) -> None:
        x = torch.randn(3, 4, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            torch.testing.assert_close(self.run.model.eval()(x), self.dense.eval()(x), rtol=1e-5, atol=1e-7)


def leaf(values: torch.Tensor) -> torch.Tensor:
    return values.detach().double().clone().requires_grad_()


def same_event(fast: RankDecision | None, slow: RankDecision | None) -> None:
    assert (fast is None) == (slow is None)
    if fast is not None and slow is not None:
        # TriAdaptLoRA's are differences of norms, which the driver takes in float32.
        np.testing.assert_allclose(slow.scores, fast.scores, rtol=1e-5, atol=5e-7)
        assert slow.threshold == pytest.approx(fast.threshold, rel=1e-5, abs=5e-7)
        assert slow.chosen == fast.chosen


@pytest.mark.parametrize("growth", ["linear", "non-linear", "fixed"])
def test_triadaptlora(growth: str, monkeypatch: pytest.MonkeyPatch) -> None:
    race = Race(config_of("triadaptlora", growth=growth, add_r=2, reference_rank=4))
    race.set_twin(
        TriAdaptLoraTwin(
            {
                name: [Block(*(leaf(getattr(layer, f"triadaptlora_{part}")["default"]) for part in "ABLU"))]
                for name, layer in zip(race.names, race.layers, strict=True)
            },
            race.config.alpha,
            race.config.reference_rank,
        )
    )
    drawn: list[dict[str, torch.Tensor]] = []
    draw = TriAdaptLinear.draw_block
    monkeypatch.setattr(TriAdaptLinear, "draw_block", lambda *args: drawn.append(draw(*args)) or drawn[-1])
    events = 0
    for step in range(STEPS):
        fast, decision = race.fast_step(step)
        slow = race.slow_loss(step)
        race.slow.step()
        race.slow.zero_grad()
        found = race.decide(step, race.twin.scores().values(), growth)
        same_event(decision, found[0] if found else None)
        if found:
            events += 1

            def born(_: str) -> list[Block]:
                block = drawn.pop(0)
                new = Block(*(leaf(block[part]) for part in "ABLU"))
                race.slow.add_param_group({"params": new.parameters()})
                return [new]

            race.twin.event([race.names[index] for index, _ in found[1]], born)
        race.compare(step, fast, slow)
    assert events >= 5
    race.compare_outputs()


@pytest.mark.parametrize("advance_learning", [True, False])
def test_increlora(advance_learning: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"block_warmup": False, "advance_learning": advance_learning}
    race = Race(config_of("increlora", increlora=settings, reference_rank=3))

    def triplets(layer: Any) -> list[Triplet]:
        A, E, B = (getattr(layer, f"increlora_{part}")["default"] for part in "AEB")
        used = layer.used("default")
        return [Triplet(leaf(A[i : i + 1]), leaf(E[i : i + 1]), leaf(B[:, i : i + 1]), i < used) for i in range(len(A))]

    start = {name: triplets(layer) for name, layer in zip(race.names, race.layers, strict=True)}
    race.set_twin(IncreLoraTwin(start, race.config.alpha, race.config.reference_rank))
    drawn: Draws = []
    draw = IncreLinear.draw_triplets
    monkeypatch.setattr(IncreLinear, "draw_triplets", lambda *args: drawn.append(draw(*args)) or drawn[-1])
    events = 0
    for step in range(STEPS):
        fast, decision = race.fast_step(step)
        slow = race.slow_loss(step, race.run.settings.orthogonality * race.twin.orthogonality())  # type: ignore[attr-defined]
        race.twin.observe()
        race.slow.step()
        race.slow.zero_grad()
        found = race.decide(step, race.twin.scores().values(), "top-h")
        same_event(decision, found[0] if found else None)
        if found:
            events += 1
            chosen = [race.names[index] for index, _ in found[1]]
            gain = {race.names[index]: gain for index, gain in found[1]}

            def born(name: str) -> list[Triplet]:
                A, B = drawn.pop(0)
                value = torch.full((1, 1), RESERVE_VALUE)
                new = [Triplet(leaf(A[i : i + 1]), leaf(value), leaf(B[:, i : i + 1]), False) for i in range(len(A))]
                race.slow.add_param_group({"params": [part for triplet in new for part in (triplet.a, triplet.b)]})
                return new

            before = {id(t): t for name in chosen for t in race.twin.triplets[name] if t.used}
            race.twin.grow(chosen, gain, born)
            granted = [t.e for name in chosen for t in race.twin.triplets[name] if t.used and id(t) not in before]
            race.slow.add_param_group({"params": granted})
        race.compare(step, fast, slow)
    assert events >= 5 and race.twin.full
    race.compare_outputs()


def test_adalora() -> None:
    race = Race(config_of("adalora", reference_rank=3, interval=5))
    run: Any = race.run
    start = {
        name: Triplets(*(leaf(getattr(layer, f"lora_{part}")["default"]) for part in "AEB"))
        for name, layer in zip(race.names, race.layers, strict=True)
    }
    race.set_twin(AdaLoraTwin(start, run.tuner.peft_config["default"].lora_alpha))
    masks = 0
    for step in range(STEPS):
        fast, decision = race.fast_step(step)
        slow = race.slow_loss(step, run.settings.orthogonality * race.twin.orthogonality())
        race.slow.step()
        if step < run.schedule.final_step:
            race.twin.observe()
        race.slow.zero_grad()
        if decision is not None:
            masks += 1
            scores = torch.cat(list(race.twin.scores().values()))
            np.testing.assert_allclose(scores, decision.unit_scores, rtol=1e-5, atol=1e-20)
            race.twin.mask(decision.allowed)
        if step > run.schedule.final_step:
            for name, found in race.twin.triplets.items():
                found.E.data[~race.twin.kept[name]] = 0.0
        race.compare(step, fast, slow)
    assert masks >= 5
    race.compare_outputs()


def test_lora() -> None:
    race = Race(config_of("lora", reference_rank=3))
    A, B = (
        {
            name: leaf(getattr(layer, part)["default"].weight)
            for name, layer in zip(race.names, race.layers, strict=True)
        }
        for part in ("lora_A", "lora_B")
    )
    race.set_twin(LoraTwin(A, B, race.config.alpha))
    for step in range(STEPS):
        fast, decision = race.fast_step(step)
        assert decision is None
        slow = race.slow_loss(step)
        race.slow.step()
        race.slow.zero_grad()
        race.compare(step, fast, slow)
    race.compare_outputs()
