"""Whole trainings by the authors' public code, reproduced by the twins and by the tuners with `behaviour="reference"`.

Set TRIADAPT_GOLDEN to the folder that holds the recorded numbers.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from triadapt.config import RunConfig, parse_config
from triadapt.events import Matrix
from triadapt.growth import growth_threshold, is_event, matrices_at_or_above, matrices_to_grow
from triadapt.methods.increlora.layer import IncreLinear
from triadapt.methods.increlora.run import Run as IncreRun
from triadapt.methods.triadaptlora.layer import TriAdaptLinear
from triadapt.methods.triadaptlora.run import Run as TriAdaptRun
from triadapt.reference import Block, IncreLoraTwin, TriAdaptLoraTwin, Triplet, dense_forward

GOLDEN = Path(os.environ.get("TRIADAPT_GOLDEN") or Path(__file__).parents[3] / "shared" / "golden")
pytestmark = pytest.mark.skipif(
    not GOLDEN.is_dir(), reason="the recorded numbers are not here; set TRIADAPT_GOLDEN to their folder"
)
Trace = dict[str, Any]

TRIADAPT_TRACES = range(12)
INCRE_TRACES = range(10)
# Names of the recordings, and what they are called here.
INITS = {"eye": "eye", "c_zero": "zero_core", "gaussian": "gaussian"}
SCALES = {"2": "constant", "alpha/(rank+1e-5)": "rank", "alpha/(blocks+1e-5)": "blocks"}


def triadapt_trace(number: int) -> Trace:
    traces: list[Trace] = json.loads((GOLDEN / "triadaptlora_traces.json").read_text(encoding="utf-8"))
    assert len(traces) == len(TRIADAPT_TRACES)
    return traces[number]


def incre_trace(number: int) -> Trace:
    traces: list[Trace] = json.loads((GOLDEN / "increlora_traces.json").read_text(encoding="utf-8"))["increlora_trace"]
    assert len(traces) == len(INCRE_TRACES)
    return traces[number]


def tensor(values: Any) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)


class Residual(nn.Module):
    """`x <- x + 0.5 tanh(W x)` for each matrix in turn."""

    def __init__(self, weights: dict[str, Any]) -> None:
        super().__init__()
        self.linears = nn.ModuleDict({name: frozen(values) for name, values in weights.items()})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for linear in self.linears.values():
            x = x + 0.5 * torch.tanh(linear(x))
        return x


class Chain(nn.Module):
    """`c(tanh(b(tanh(a(x)))))`."""

    def __init__(self, weights: dict[str, Any]) -> None:
        super().__init__()
        self.linears = nn.ModuleDict({name: frozen(values) for name, values in weights.items()})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, *others = self.linears.values()
        x = first(x)
        for linear in others:
            x = linear(torch.tanh(x))
        return x


def frozen(values: Any) -> nn.Linear:
    weight = tensor(values)
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    linear.weight = nn.Parameter(weight, requires_grad=False)
    return linear


def matrices_of(trace: Trace) -> list[Matrix]:
    return [
        Matrix(f"linears.{name}", layer, name, (len(values), len(values[0])), None)
        for layer, (name, values) in enumerate(trace["weights"].items())
    ]


def alpha_of(config: dict[str, Any]) -> float:
    """A constant scale of 2 is recorded as such, whatever alpha was."""
    return 2.0 * config["reference_rank"] if config["scale"] == "2" else config["alpha"]


def sgd_step(parameters: list[torch.Tensor], rate: float) -> None:
    with torch.no_grad():
        for parameter in parameters:
            if parameter.grad is not None:
                parameter -= rate * parameter.grad
                parameter.grad = None


def same(value: float, recorded: float, tolerance: float) -> bool:
    return abs(value - recorded) <= tolerance * max(abs(recorded), 1e-30)


# -- TriAdaptLoRA --------------------------------------------------------------------------------------------------


def block(values: Trace) -> Block:
    parts = [tensor(values[name]).requires_grad_() for name in ("A", "B", "C_row", "C_col")]
    return Block(*parts)


def check_triadapt_event(step: Trace, names: list[str], scores: Any, threshold: float, chosen: Any) -> None:
    recorded = np.array([step["score"][name] for name in names])
    np.testing.assert_allclose(np.asarray(scores, dtype=np.float64), recorded, rtol=1e-5, atol=1e-6)
    assert threshold == pytest.approx(step["threshold"], rel=1e-5, abs=1e-6)
    assert {names[i] for i in chosen} == set(step["new_blocks"])


@pytest.mark.parametrize("number", TRIADAPT_TRACES)
def test_the_twin_repeats_the_triadaptlora_trainings(number: int) -> None:
    trace = triadapt_trace(number)
    config, names = trace["config"], list(trace["weights"])
    model = Residual(trace["weights"])
    blocks = {f"linears.{name}": [block(trace["first_blocks"][name])] for name in names}
    twin = TriAdaptLoraTwin(blocks, alpha_of(config), config["reference_rank"], scale=SCALES[config["scale"]])  # type: ignore[arg-type]
    x, y = tensor(trace["x"]), tensor(trace["y"])
    events = 0
    for step in trace["steps"]:
        loss = (dense_forward(model, twin.deltas(), x) - y).square().mean()
        assert same(loss.item(), step["loss"], 1e-4)
        loss.backward()  # type: ignore[no-untyped-call]
        total, target = sum(twin.ranks().values()), config["reference_rank"] * len(names)
        due = is_event(step["step"], init_warmup=config["init_warmup"], interval=config["interval"]) and total < target
        assert due == (step["threshold"] is not None)
        if due:
            events += 1
            allowed = matrices_to_grow(
                config["growth"], step=step["step"], init_warmup=config["init_warmup"], total_step=config["total_step"],
                target_total_rank=target, total_rank=total, num_matrices=len(names),
            )  # fmt: skip
            scores = list(twin.scores().values())
            threshold = growth_threshold(scores, allowed)
            chosen = matrices_at_or_above(scores, threshold)
            check_triadapt_event(step, names, scores, threshold, chosen)

            def born(name: str, step: Trace = step) -> list[Block]:
                return [block(values) for values in step["new_blocks"][name.removeprefix("linears.")]]

            twin.event([f"linears.{names[i]}" for i in chosen], born)
        assert list(twin.ranks().values()) == step["rank"]
        sgd_step(twin.parameters(), config["lr"])
    assert events >= 5


@pytest.fixture
def recorded_blocks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, torch.Tensor]]]:
    """Blocks that the tuner takes, in order, in place of drawing them."""
    waiting: list[dict[str, torch.Tensor]] = []
    draw = TriAdaptLinear.draw_block

    def taken(self: Any, adapter: str, old: int, gain: int, generator: Any) -> dict[str, torch.Tensor]:
        return waiting.pop(0) if waiting else draw(self, adapter, old, gain, generator)

    monkeypatch.setattr(TriAdaptLinear, "draw_block", taken)
    yield waiting
    assert not waiting


def parts_of(values: Trace) -> dict[str, torch.Tensor]:
    return {part: tensor(values[name]) for part, name in zip("ABLU", ("A", "B", "C_row", "C_col"), strict=True)}


def triadapt_config(config: dict[str, Any]) -> RunConfig:
    return parse_config({
        "method": "triadaptlora", "steps": config["total_step"], "warmup": config["init_warmup"],
        "interval": config["interval"], "growth": config["growth"], "reference_rank": config["reference_rank"],
        "add_r": config["add_r"], "alpha": alpha_of(config), "learning_rate": config["lr"],
        "triadaptlora": {
            "behaviour": "reference", "init": INITS[config["init"]], "scale": SCALES[config["scale"]],
        },
    })  # fmt: skip


@pytest.mark.parametrize("number", TRIADAPT_TRACES)
def test_the_tuner_repeats_the_triadaptlora_trainings(
    number: int, recorded_blocks: list[dict[str, torch.Tensor]]
) -> None:
    trace = triadapt_trace(number)
    config, names = trace["config"], list(trace["weights"])
    matrices, chosen = matrices_of(trace), triadapt_config(config)
    run = TriAdaptRun(TriAdaptRun.adapt(Residual(trace["weights"]), matrices, chosen, []), matrices, chosen)
    for layer, name in zip(run.layers, names, strict=True):
        for part, values in parts_of(trace["first_blocks"][name]).items():
            getattr(layer, f"triadaptlora_{part}")["default"].data.copy_(values)
    run.previous = run.norms()
    optimizer = torch.optim.SGD([p for p in run.model.parameters() if p.requires_grad], lr=config["lr"])
    run.bind_optimizer(optimizer)
    x, y = tensor(trace["x"]), tensor(trace["y"])
    for step in trace["steps"]:
        loss = (run.model(x) - y).square().mean()
        assert same(loss.item(), step["loss"], 1e-4)
        loss.backward()  # type: ignore[no-untyped-call]
        # Grants come best first.
        born = step["new_blocks"] or {}
        for name in sorted(born, key=lambda name: (-step["score"][name], names.index(name))):
            recorded_blocks += [parts_of(values) for values in born[name]]
        decision = run.before_step(step["step"])
        assert (decision is None) == (step["threshold"] is None)
        if decision is not None:
            check_triadapt_event(step, names, decision.scores, decision.threshold, decision.chosen)
        assert run.ranks().tolist() == step["rank"]
        optimizer.step()
        assert run.after_step(step["step"]) is None
        optimizer.zero_grad()


# -- IncreLoRA -----------------------------------------------------------------------------------------------------


def triplets(values: Trace, *, used: bool) -> list[Triplet]:
    return [
        Triplet(*(tensor(part).requires_grad_() for part in parts), used=used)
        for parts in zip(values["A"], values["E"], values["B"], strict=True)
    ]


def reserve_of(step: Trace, name: str) -> list[Triplet]:
    return [triplet for values in step["new_reserve"][name] for triplet in triplets(
        {part: [values[part]] for part in "AEB"}, used=False)]  # fmt: skip


def check_incre_scores(step: Trace, name: str, average: float, uncertainty: float) -> None:
    # The recording computes in float32 what is far below 1, so a relative tolerance alone is meant.
    assert same(average, step["ema"][name], 1e-5) and same(uncertainty, step["unc"][name], 1e-5), (step["step"], name)


@pytest.mark.parametrize("number", INCRE_TRACES)
def test_the_twin_repeats_the_increlora_trainings(number: int) -> None:
    trace = incre_trace(number)
    config, names = trace["config"], list(trace["weights"])
    model = Chain(trace["weights"])
    full = {name: f"linears.{name}" for name in names}
    twin = IncreLoraTwin(
        {full[name]: triplets(trace["first"][name], used=True) for name in names},
        config["alpha"], config["target_r"], config["beta1"], config["beta2"], scale="rank",
    )  # fmt: skip
    x, y = tensor(trace["x"]), tensor(trace["y"])
    for step in trace["steps"]:
        loss = (dense_forward(model, twin.deltas(), x) - y).square().mean()
        assert same(loss.item(), step["loss"], 1e-4)
        loss.backward()  # type: ignore[no-untyped-call]
        was_full = twin.full
        twin.observe()
        for name in names:
            if not was_full:
                assert same(twin.score[full[name]], step["score"][name], 1e-5)
            check_incre_scores(step, name, twin.average[full[name]], twin.uncertainty[full[name]])
        due = is_event(step["step"], init_warmup=config["init_warmup"], interval=config["incre_interval"])
        assert (due and not was_full) == (step["threshold"] is not None)
        if due and not was_full:
            allowed = min(config["top_h"], twin.target - sum(twin.ranks().values()))
            scores = twin.scores()
            ordered = sorted(scores, key=lambda name: -scores[name])
            chosen = ordered[:allowed]
            assert scores[chosen[-1]] == pytest.approx(step["threshold"], rel=1e-5)
            assert {name.removeprefix("linears.") for name in chosen} == set(step["new_reserve"])
            twin.grow(chosen, dict.fromkeys(chosen, 1), lambda name, step=step: reserve_of(step, name[8:]))  # type: ignore[misc]
        elif step["new_reserve"]:  # the reserve of the start
            for name in names:
                twin.triplets[full[name]] += reserve_of(step, name)
        assert {name: twin.rank(full[name]) for name in names} == step["rank"]
        sgd_step(twin.parameters(), config["lr"])


@pytest.mark.parametrize("number", INCRE_TRACES)
def test_the_tuner_repeats_the_increlora_trainings(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = incre_trace(number)
    config, names = trace["config"], list(trace["weights"])
    settings = parse_config({
        "method": "increlora", "steps": config["total_step"], "warmup": config["init_warmup"],
        "interval": config["incre_interval"], "growth": "fixed", "top_h": config["top_h"],
        "reference_rank": config["target_r"], "alpha": config["alpha"], "learning_rate": config["lr"],
        "increlora": {
            "behaviour": "reference", "scale": "rank", "beta1": config["beta1"], "beta2": config["beta2"],
            "orthogonality": 0.0, "block_warmup": False,
        },
    })  # fmt: skip
    matrices = matrices_of(trace)
    run = IncreRun(IncreRun.adapt(Chain(trace["weights"]), matrices, settings, []), matrices, settings)
    start = trace["steps"][0]["new_reserve"]
    for layer, name in zip(run.layers, names, strict=True):
        for part, dimension in (("A", 0), ("E", 0), ("B", 1)):
            values = [tensor(v) for v in trace["first"][name][part]] + [tensor(v[part]) for v in start[name]]
            getattr(layer, f"increlora_{part}")["default"].data.copy_(torch.cat(values, dim=dimension))
    parameters = [p for p in run.model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=config["lr"])
    run.bind_optimizer(optimizer)
    waiting: list[Trace] = []

    def taken(self: Any, count: int, generator: Any) -> tuple[torch.Tensor, torch.Tensor]:
        values = waiting.pop(0)
        return tensor(values["A"]), tensor(values["B"])

    monkeypatch.setattr(IncreLinear, "draw_triplets", taken)
    x, y = tensor(trace["x"]), tensor(trace["y"])
    for step in trace["steps"]:
        loss = (run.model(x) - y).square().mean()
        assert same(loss.item(), step["loss"], 1e-4)
        loss.backward()  # type: ignore[no-untyped-call]
        if step["step"] > 0:
            waiting += [values for born in (step["new_reserve"] or {}).values() for values in born]
        decision = run.before_step(step["step"])
        assert not waiting
        # At step 0 the recorded reserve joins after the forward pass; here it is there from the start.
        for i, name in enumerate(names):
            if step["step"] > 0:
                check_incre_scores(step, name, float(run.average[i]), float(run.uncertainty[i]))
        if step["step"] == 0:
            run.average.zero_()
            run.uncertainty.zero_()
        assert (decision is None) == (step["threshold"] is None)
        if decision is not None:
            assert decision.threshold == pytest.approx(step["threshold"], rel=1e-5)
            assert {names[i] for i in decision.chosen} == set(step["new_reserve"])
        assert dict(zip(names, run.ranks().tolist(), strict=True)) == step["rank"]
        if step["step"] == 0:  # nor has the reserve a gradient yet
            for layer in run.layers:
                used = layer.used("default")
                layer.increlora_A["default"].grad[used:] = 0
                layer.increlora_B["default"].grad[:, used:] = 0
        optimizer.step()
        assert run.after_step(step["step"]) is None
        optimizer.zero_grad()
