import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from triadapt.growth.optimizer_state import FreshSteps, enlarge, fresh_step_factor, optimizer_bytes, pad_to

Make = Callable[[list[nn.Parameter]], torch.optim.Optimizer]
PADDED: dict[str, Make] = {
    "AdamW": lambda ps: torch.optim.AdamW(ps, lr=0.01, weight_decay=0.0),
    "AdamW foreach": lambda ps: torch.optim.AdamW(ps, lr=0.01, weight_decay=0.0, foreach=True),
    "AdamW fused": lambda ps: torch.optim.AdamW(ps, lr=0.01, weight_decay=0.0, fused=True),
    "AdamW amsgrad": lambda ps: torch.optim.AdamW(ps, lr=0.01, weight_decay=0.0, amsgrad=True),
    "SGD with momentum": lambda ps: torch.optim.SGD(ps, lr=0.01, momentum=0.9),
    "SGD": lambda ps: torch.optim.SGD(ps, lr=0.01),
    "RMSprop": lambda ps: torch.optim.RMSprop(ps, lr=0.01, momentum=0.5, centered=True),
    "Adagrad": lambda ps: torch.optim.Adagrad(ps, lr=0.01),
}
# What steps like fresh without a correction, because nothing in its state is shared by old and new entries.
UNCORRECTED: dict[str, Make] = {name: PADDED[name] for name in ("SGD with momentum", "SGD", "RMSprop", "Adagrad")} | {
    "Adagrad from 0.1": lambda ps: torch.optim.Adagrad(ps, lr=0.01, initial_accumulator_value=0.1),
    "Nesterov": lambda ps: torch.optim.SGD(ps, lr=0.01, momentum=0.9, nesterov=True),
}


def step(optimizer: torch.optim.Optimizer, parameter: nn.Parameter, gradient: torch.Tensor) -> None:
    parameter.grad = gradient.clone()
    optimizer.step()


def gradients(count: int, shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator, dtype=dtype) for _ in range(count)]


def grow(
    parameter: nn.Parameter, shape: tuple[int, ...], optimizer: torch.optim.Optimizer, fresh: FreshSteps | None = None
) -> None:
    old = parameter.shape
    enlarge(parameter, pad_to(parameter.data, torch.Size(shape)), optimizer)
    if fresh is not None:
        fresh.born(parameter, old)


@pytest.mark.parametrize("make", PADDED.values(), ids=PADDED)
def test_old_entries_go_on_exactly_as_if_the_parameter_had_never_grown(make: Make) -> None:
    grown, plain = nn.Parameter(torch.ones(3, 5)), nn.Parameter(torch.ones(3, 5))
    optimizer, other = make([grown]), make([plain])
    for number, gradient in enumerate(gradients(9, (4, 8))):
        if number == 4:
            grow(grown, (4, 8), optimizer)
        step(optimizer, grown, gradient[: grown.shape[0], : grown.shape[1]])
        step(other, plain, gradient[:3, :5])
        torch.testing.assert_close(grown[:3, :5], plain, rtol=0, atol=0)
    for value in optimizer.state[grown].values():
        if isinstance(value, torch.Tensor):
            assert value.ndim == 0 or value.shape == (4, 8)


@pytest.mark.parametrize("make", PADDED.values(), ids=PADDED)
def test_enlarging_pads_with_zeros_keeps_scalars_and_clears_the_gradient(make: Make) -> None:
    parameter = nn.Parameter(torch.ones(2, 3))
    optimizer = make([parameter])
    step(optimizer, parameter, torch.ones(2, 3))
    before = {name: value.clone() for name, value in optimizer.state[parameter].items() if value is not None}
    grow(parameter, (3, 5), optimizer)
    assert parameter.grad is None
    for name, old in before.items():
        new = optimizer.state[parameter][name]
        if old.ndim == 0:
            assert torch.equal(new, old)
        else:
            assert torch.equal(new[:2, :3], old)
            assert new[2:].abs().sum() == 0 and new[:, 3:].abs().sum() == 0


@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (1, 3), (2, 3)])
def test_a_factored_state_starts_afresh_with_one_warning(shape: tuple[int, int]) -> None:
    parameter = nn.Parameter(torch.ones(shape))
    optimizer = torch.optim.Adafactor([parameter], lr=0.01)
    step(optimizer, parameter, torch.ones(shape))
    larger = (shape[0] + 1, shape[1] + 1)
    with pytest.warns(UserWarning, match="cannot be padded") as caught:
        grow(parameter, larger, optimizer)
    assert len(caught) == 1
    fresh = nn.Parameter(parameter.detach().clone())
    other = torch.optim.Adafactor([fresh], lr=0.01)
    for gradient in gradients(3, larger):
        step(optimizer, parameter, gradient)
        step(other, fresh, gradient)
    assert torch.equal(parameter, fresh)


def test_enlarging_without_an_optimizer_or_before_its_first_step_only_changes_the_data() -> None:
    parameter = nn.Parameter(torch.ones(2, 2))
    enlarge(parameter, torch.ones(3, 3), None)
    optimizer = torch.optim.AdamW([parameter])
    enlarge(parameter, torch.ones(4, 4), optimizer)
    assert parameter.shape == (4, 4)
    assert not optimizer.state


def test_optimizer_bytes_counts_every_tensor_of_the_state() -> None:
    parameter = nn.Parameter(torch.ones(3, 5))
    optimizer = torch.optim.AdamW([parameter])
    assert optimizer_bytes(optimizer) == 0
    step(optimizer, parameter, torch.ones(3, 5))
    assert optimizer_bytes(optimizer) == 2 * 15 * 4 + 4


@given(st.integers(0, 3000), st.sampled_from([(0.9, 0.999), (0.9, 0.99), (0.8, 0.95), (0.0, 0.9)]), st.integers(0, 9))
def test_the_factor_turns_a_padded_adam_step_into_that_of_a_fresh_adam(
    age: int, betas: tuple[float, float], seed: int
) -> None:
    beta1, beta2 = betas
    generator = torch.Generator().manual_seed(seed)
    m = v = 0.0
    for k in range(1, 21):
        g = float(torch.randn((), generator=generator))
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g

        def move(t: int, m: float = m, v: float = v) -> float:
            return float(m / (1 - beta1**t) / math.sqrt(v / (1 - beta2**t)))

        factor = fresh_step_factor(age + k, k, beta1, beta2)
        assert factor * move(age + k) == pytest.approx(move(k), rel=2e-6)


FAMILY: dict[str, dict[str, Any]] = {
    "plain": {"weight_decay": 0.0},
    "fused": {"weight_decay": 0.0, "fused": True},
    "foreach": {"weight_decay": 0.0, "foreach": True},
    "weight decay": {"weight_decay": 0.1},
}


@pytest.mark.parametrize("options", FAMILY.values(), ids=FAMILY)
@pytest.mark.parametrize("births", [(30,), (30, 33), (1, 2, 90)])
def test_entries_born_in_training_move_as_under_a_fresh_adamw(options: dict[str, Any], births: tuple[int, ...]) -> None:
    """Nested births: at each of `births` the parameter gains two rows and a column."""
    parameter = nn.Parameter(torch.full((2, 3), 0.5, dtype=torch.float64))
    optimizer = torch.optim.AdamW([parameter], lr=0.01, **options)
    fresh = FreshSteps(optimizer)
    # Twins are independent parameters of full size, each under an optimizer that starts at one birth.
    final = (2 + 2 * len(births), 3 + len(births))
    twins: list[tuple[tuple[int, int], nn.Parameter, torch.optim.Optimizer]] = []

    def twin(shape: tuple[int, int]) -> None:
        own = nn.Parameter(torch.full(final, 0.5, dtype=torch.float64))
        twins.append((shape, own, torch.optim.AdamW([own], lr=0.01, **options)))

    twin((2, 3))
    for number, gradient in enumerate(gradients(120, final, dtype=torch.float64)):
        if number in births:
            shape = (parameter.shape[0] + 2, parameter.shape[1] + 1)
            data = torch.full(shape, 0.5, dtype=torch.float64)
            data[: shape[0] - 2, : shape[1] - 1] = parameter.data
            old = parameter.shape
            enlarge(parameter, data, optimizer)
            fresh.born(parameter, old)
            twin(shape)
        step(optimizer, parameter, gradient[: parameter.shape[0], : parameter.shape[1]])
        for _, own, its_optimizer in twins:
            step(its_optimizer, own, gradient)
    expected = torch.empty(final, dtype=torch.float64)
    for shape, own, _ in reversed(twins):
        expected[: shape[0], : shape[1]] = own.detach()[: shape[0], : shape[1]]
    moved = parameter.detach() - 0.5
    # The fused kernel rounds the end of a vector differently, and growth moves entries along it.
    rounding = 1e-13 if options.get("fused") else 0
    torch.testing.assert_close(parameter[:2, :3].detach(), expected[:2, :3], rtol=rounding, atol=0)
    torch.testing.assert_close(moved, expected - 0.5, rtol=2e-6, atol=1e-8)


@pytest.mark.parametrize("make", UNCORRECTED.values(), ids=UNCORRECTED)
def test_entries_born_under_other_optimizers_step_exactly_like_fresh_ones(make: Make) -> None:
    grown = nn.Parameter(torch.zeros(2, 3))
    optimizer = make([grown])
    fresh = FreshSteps(optimizer)
    given = gradients(30, (4, 5))
    for number, gradient in enumerate(given[:20]):
        if number == 10:
            grow(grown, (4, 5), optimizer, fresh)
        step(optimizer, grown, gradient[: grown.shape[0], : grown.shape[1]])
    twin = nn.Parameter(torch.zeros(4, 5))
    other = make([twin])
    for gradient in given[10:20]:
        step(other, twin, gradient)
    torch.testing.assert_close(grown[2:], twin[2:], rtol=0, atol=0)
    torch.testing.assert_close(grown[:, 3:], twin[:, 3:], rtol=0, atol=0)


@pytest.mark.parametrize("options", [{"fused": True}, {"fused": False}, {"foreach": True}], ids=str)
def test_a_step_that_the_gradient_scaler_skips_counts_for_nothing(options: dict[str, bool]) -> None:
    ends = []
    for overflow in (False, True):
        parameter = nn.Parameter(torch.ones(1, 2))
        optimizer = torch.optim.AdamW([parameter], lr=0.01, weight_decay=0.1, **options)
        fresh = FreshSteps(optimizer)
        scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=10_000)
        for number, gradient in enumerate(gradients(12, (3, 4))):
            if number == 5:
                grow(parameter, (3, 4), optimizer, fresh)
            wanted = gradient[: parameter.shape[0], : parameter.shape[1]]
            if overflow and number in (4, 8):
                scaled_step(scaler, optimizer, parameter, wanted / 0)
            scaled_step(scaler, optimizer, parameter, wanted)
        assert fresh.steps == 12
        ends.append(parameter.detach())
    torch.testing.assert_close(*ends, rtol=1e-6, atol=0)


def scaled_step(
    scaler: torch.amp.GradScaler, optimizer: torch.optim.Optimizer, parameter: nn.Parameter, gradient: torch.Tensor
) -> None:
    optimizer.zero_grad()
    scaler.scale((parameter * gradient).sum()).backward()
    scaler.step(optimizer)
    scaler.update()


def test_parameters_that_never_grew_are_left_alone() -> None:
    grown, other, plain = (nn.Parameter(torch.ones(2, 2)) for _ in range(3))
    optimizer = torch.optim.AdamW([grown, other], lr=0.01)
    alone = torch.optim.AdamW([plain], lr=0.01)
    fresh = FreshSteps(optimizer)
    for number, gradient in enumerate(gradients(6, (3, 3))):
        if number == 3:
            grow(grown, (3, 3), optimizer, fresh)
        other.grad = gradient[:2, :2].clone()
        step(optimizer, grown, gradient[: grown.shape[0], : grown.shape[1]])
        step(alone, plain, gradient[:2, :2])
    assert torch.equal(other, plain)


@pytest.mark.parametrize("make", [PADDED["AdamW"], PADDED["SGD"]], ids=["AdamW", "SGD"])
def test_pace_is_a_ratio_of_learning_rates(make: Make) -> None:
    slow, full = nn.Parameter(torch.zeros(1, 2)), nn.Parameter(torch.zeros(1, 2))
    seen = []

    def pace(step_number: int, birth: int) -> float:
        seen.append((step_number, birth))
        return 0.25

    optimizers = []
    for parameter, own_pace in ((slow, pace), (full, None)):
        optimizer = make([parameter])
        fresh = FreshSteps(optimizer, own_pace)
        for number, gradient in enumerate(gradients(5, (2, 2))):
            if number == 4:
                grow(parameter, (2, 2), optimizer, fresh)
            step(optimizer, parameter, gradient[: parameter.shape[0]])
        optimizers.append(optimizer)
    assert seen == [(5, 4)]
    torch.testing.assert_close(slow[1], 0.25 * full[1])
    assert torch.equal(slow[0], full[0])


def test_a_restored_correction_goes_on_exactly() -> None:
    runs = []
    for interrupted in (False, True):
        parameter = nn.Parameter(torch.ones(1, 2))
        optimizer = torch.optim.AdamW([parameter], lr=0.01)
        fresh = FreshSteps(optimizer)
        for number, gradient in enumerate(gradients(20, (3, 4))):
            if number in (5, 8):
                grow(parameter, (parameter.shape[0] + 1, parameter.shape[1] + 1), optimizer, fresh)
            if interrupted and number == 10:
                state = fresh.state({parameter: "p"})
                again = nn.Parameter(parameter.detach().clone())
                other = torch.optim.AdamW([again], lr=0.01)
                other.state[again] = {name: value.clone() for name, value in optimizer.state[parameter].items()}
                parameter, optimizer, fresh = again, other, FreshSteps(other)
                fresh.load_state(state, {"p": parameter})
                assert fresh.state({parameter: "p"}) == state
            step(optimizer, parameter, gradient[: parameter.shape[0], : parameter.shape[1]])
        runs.append(parameter.detach())
    assert torch.equal(*runs)
