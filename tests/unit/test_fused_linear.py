"""A frozen layer and its adapter in one operation give what the two give one after the other."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers.pytorch_utils import Conv1D

from triadapt import IncreLoraConfig, TriAdaptLoraConfig
from triadapt.growth.optimizer_state import replace_data
from triadapt.methods.fused_linear import adapted_linear, add_update, frozen_linear
from triadapt.methods.increlora.layer import DiagonalCore, IncreLinear
from triadapt.methods.triadaptlora.layer import TriAdaptLinear, TriangularCore, block_lower_mask
from triadapt.methods.tuner_layer import GrowingLayer

IN, OUT = 6, 5
CASES: dict[str, tuple[type[Any], Callable[..., Any], str]] = {
    "triadaptlora": (TriAdaptLinear, TriAdaptLoraConfig, "ABLU"),
    "increlora": (IncreLinear, IncreLoraConfig, "ABE"),
}
every_method = pytest.mark.parametrize("method", CASES)


class Whole:
    """A core that is trained as it is."""

    def value(self, *trained: torch.Tensor) -> torch.Tensor:
        return trained[0]

    def gradients(self, gradient: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (gradient,)


def drawn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def layer_of(method: str, base: nn.Module | None = None, **values: Any) -> Any:
    """A layer at rank 3 whose every entry in use is random, in float64."""
    kind, config, _ = CASES[method]
    base = nn.Linear(IN, OUT) if base is None else base
    values = {"target_modules": ["x"], "reference_rank": 4, "alpha": 8.0, "init_r": 1, **values}
    layer = kind(base.requires_grad_(False), "default", config(**values)).double().train()
    grow(method, layer, 2)
    return layer


def grow(method: str, layer: Any, gain: int) -> None:
    generator = torch.Generator().manual_seed(gain)
    triangular = method == "triadaptlora"
    data = layer.grown("default", gain, *(() if triangular else (1,)), generator)
    for name, values in data.items():
        parameter = getattr(layer, f"{method}_{name}")["default"]
        replace_data(parameter, drawn(*values.shape, seed=len(values)))
        parameter.grad = None
    if triangular:
        layer.set_blocks("default", [*layer.blocks("default"), gain], data["A"])
    else:
        layer.set_used("default", layer.used("default") + gain)


def apart(layer: GrowingLayer, x: torch.Tensor) -> torch.Tensor:
    """The frozen layer, then the adapters, by ordinary operations."""
    result: torch.Tensor = layer.base_layer(x)
    for adapter in layer.active_adapters:
        result = layer.add_adapter(result, x, adapter)
    return result


def is_one(layer: GrowingLayer, x: torch.Tensor) -> bool:
    return "AdaptedLinear" in str(layer(x).grad_fn.next_functions) + str(layer(x).grad_fn)


def gradients(layer: Any, forward: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> list[torch.Tensor]:
    """The result and the gradients of everything trained, and of x if it takes one."""
    x = x.detach().requires_grad_(x.requires_grad)
    layer.zero_grad()
    result = forward(x)
    (result * drawn(*result.shape, seed=7).to(result.dtype)).sum().backward()
    found = [p.grad for p in layer.parameters() if p.requires_grad] + ([x.grad] if x.requires_grad else [])
    assert all(gradient is not None for gradient in found)
    return [result.detach(), *found]  # type: ignore[list-item]


def same(left: list[torch.Tensor], right: list[torch.Tensor]) -> None:
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("needs", ["xACB", "ACB", "x", "A", "C", "B"])
def test_first_and_second_derivatives_agree_with_finite_differences(bias: bool, needs: str) -> None:
    values = {"x": drawn(2, 3, IN), "A": drawn(2, IN, seed=1), "C": drawn(2, 2, seed=2), "B": drawn(OUT, 2, seed=3)}
    x, A, C, B = (values[name].requires_grad_(name in needs) for name in "xACB")
    b = drawn(OUT, seed=4) if bias else None

    def function(x: torch.Tensor, A: torch.Tensor, C: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
        return adapted_linear(x, drawn(OUT, IN, seed=5), b, A, B, 0.5, Whole(), (C,))

    assert torch.autograd.gradcheck(function, (x, A, C, B))
    assert torch.autograd.gradgradcheck(function, (x, A, C, B))


@pytest.mark.parametrize(
    ("core", "shapes"),
    [(TriangularCore(block_lower_mask([1, 2]).double()), [(3, 3)] * 2),
     (DiagonalCore(drawn(3, 1, seed=8), drawn(3, 1, seed=9)), [(3, 1)])],
    ids=["triangular", "diagonal"],
)  # fmt: skip
def test_both_derivatives_of_the_parts_of_a_core_agree_with_finite_differences(
    core: Any, shapes: list[tuple[int, int]]
) -> None:
    x, A, B = (drawn(*shape).requires_grad_() for shape in ((4, IN), (3, IN), (OUT, 3)))
    trained = [drawn(*shape, seed=i).requires_grad_() for i, shape in enumerate(shapes)]

    def function(x: torch.Tensor, A: torch.Tensor, B: torch.Tensor, *trained: torch.Tensor) -> torch.Tensor:
        return adapted_linear(x, drawn(OUT, IN, seed=5), None, A, B, 0.5, core, trained)

    assert torch.autograd.gradcheck(function, (x, A, B, *trained))
    assert torch.autograd.gradgradcheck(function, (x, A, B, *trained))


sizes = st.integers(1, 6)


@settings(deadline=None, max_examples=150)
@given(
    leading=st.lists(st.integers(0, 3), max_size=3), inside=sizes, out=sizes, rank=sizes, bias=st.booleans(),
    needs_x=st.booleans(), turned=st.booleans(), spread=st.booleans(), seed=st.integers(0, 1000),
)  # fmt: skip
def test_every_shape_agrees_with_the_dense_update(
    leading: list[int],
    inside: int,
    out: int,
    rank: int,
    bias: bool,
    needs_x: bool,
    turned: bool,
    spread: bool,
    seed: int,
) -> None:
    x = drawn(*leading, inside, seed=seed)
    if turned:  # not contiguous
        x = x.transpose(0, -1).contiguous().transpose(0, -1)
    W, b = drawn(out, inside, seed=seed + 1), drawn(out, seed=seed + 2) if bias else None
    parts = [drawn(*shape, seed=seed + 3) for shape in ((rank, inside), (rank, rank), (out, rank))]
    found = []
    for form in ("one", "two", "dense"):
        own = x.detach().requires_grad_(needs_x)
        A, C, B = (part.clone().requires_grad_() for part in parts)
        if form == "one":
            y = adapted_linear(own, W, b, A, B, 1.5, Whole(), (C,))
        elif form == "two":
            y = add_update(nn.functional.linear(own, W, b), own, A, C, B, 1.5)
        else:
            y = nn.functional.linear(own, W + 1.5 * (B @ C @ A), b)
        # The gradient of a sum is one number seen at every place: a tensor without strides.
        (y.sum() if spread else (y * drawn(*y.shape, seed=seed + 4)).sum()).backward()
        found.append([y.detach(), *(v.grad for v in (own, A, C, B) if v.requires_grad)])
    same(found[0], found[2])
    same(found[1], found[2])


@every_method
@pytest.mark.parametrize("shape", [(IN,), (4, IN), (2, 3, IN), (2, 3, 2, IN)])
@pytest.mark.parametrize("needs_x", [True, False])
@pytest.mark.parametrize("base", [nn.Linear, Conv1D])
def test_a_layer_computes_the_same_in_one_as_apart(
    method: str, shape: tuple[int, ...], needs_x: bool, base: type[nn.Module]
) -> None:
    conv = base is Conv1D
    layer = layer_of(method, Conv1D(OUT, IN) if conv else None, fan_in_fan_out=conv)
    x = drawn(*shape).requires_grad_(needs_x)
    assert is_one(layer, x)
    same(gradients(layer, layer, x), gradients(layer, lambda x: apart(layer, x), x))
    with torch.no_grad():
        same([layer(x)], [apart(layer, x)])


def test_the_entries_outside_the_triangles_get_no_gradient() -> None:
    layer = layer_of("triadaptlora")
    gradients(layer, layer, drawn(4, IN))
    mask = layer.triadaptlora_mask["default"]
    assert not mask.bool().all()
    for name, kept in (("L", mask), ("U", mask.T)):
        gradient = getattr(layer, f"triadaptlora_{name}")["default"].grad
        assert (gradient[kept == 0] == 0).all() and (gradient[kept == 1] != 0).all()


def test_increlora_sees_the_same_gradient_of_the_update() -> None:
    layer, x = layer_of("increlora"), drawn(2, 3, IN)
    layer.observing = True
    seen = []
    for forward in (layer, lambda x: apart(layer, x)):
        layer.observed = None
        gradients(layer, forward, x)
        seen.append([layer.observed])
    same(*seen)


@every_method
def test_dropout_takes_the_long_way_in_training_only(method: str) -> None:
    layer, x = layer_of(method, dropout=0.5), drawn(4, IN)
    assert not is_one(layer, x)
    torch.manual_seed(0)
    found = gradients(layer, layer, x)
    torch.manual_seed(0)
    same(found, gradients(layer, lambda x: apart(layer, x), x))
    assert is_one(layer.eval(), x)


class Doubled(nn.Linear):
    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(input)


def hooked(base: nn.Module, kind: str) -> nn.Module:
    getattr(base, f"register_forward_{kind}")(lambda module, *seen: 2 * seen[-1] if kind == "hook" else seen[0])
    return base


def replaced(base: nn.Module) -> nn.Module:
    forward = base.forward
    base.forward = lambda x: 2 * forward(x)  # type: ignore[method-assign]
    return base


@every_method
@pytest.mark.parametrize(
    "base",
    [
        lambda: Doubled(IN, OUT),
        lambda: hooked(nn.Linear(IN, OUT), "hook"),
        lambda: hooked(nn.Linear(IN, OUT), "pre_hook"),
        lambda: replaced(nn.Linear(IN, OUT)),
        lambda: nn.utils.parametrizations.weight_norm(nn.Linear(IN, OUT)),
    ],
    ids=["subclass", "hook", "pre-hook", "replaced forward", "parametrised"],
)
def test_a_layer_that_does_more_than_a_product_is_called(method: str, base: Callable[[], nn.Module]) -> None:
    layer, x = layer_of(method, base()), drawn(4, IN)
    assert not is_one(layer, x)
    same([layer(x)], [apart(layer, x)])


@every_method
def test_a_trained_base_weight_keeps_its_gradient(method: str) -> None:
    layer = layer_of(method)
    layer.base_layer.weight.requires_grad_(True)
    found = gradients(layer, layer, drawn(4, IN))
    assert any(value.shape == (OUT, IN) for value in found[1:])
    same(found, gradients(layer, lambda x: apart(layer, x), drawn(4, IN)))


@every_method
def test_other_types_take_the_long_way(method: str) -> None:
    layer = layer_of(method).float()
    x = drawn(4, IN, dtype=torch.float32)
    assert is_one(layer, x)
    with torch.autocast("cpu", torch.bfloat16):
        assert not is_one(layer, x)
        assert layer(x).dtype == torch.bfloat16
    layer.base_layer.bfloat16()
    assert not is_one(layer, x.bfloat16())
    result = layer(x.bfloat16())
    assert result.dtype == torch.bfloat16
    result.sum().backward()
    assert getattr(layer, f"{method}_B")["default"].grad.dtype == torch.float32


@every_method
def test_two_active_adapters_add_up(method: str) -> None:
    layer, x = layer_of(method), drawn(4, IN)
    layer.update_layer("other", CASES[method][1](target_modules=["x"], reference_rank=4, alpha=4.0, init_r=2))
    layer.double()
    with torch.no_grad():
        for parameter in layer.parameters():
            if parameter.requires_grad or parameter.shape[0] == 2:
                parameter.copy_(drawn(*parameter.shape, seed=9))
    layer.set_adapter(["default", "other"])
    W, b = layer.base_layer.weight, layer.base_layer.bias
    same([layer(x)], [x @ (W + layer.delta("default") + layer.delta("other")).T + b])
    layer.set_adapter("other")
    assert is_one(layer, x)
    same([layer(x)], [x @ (W + layer.delta("other")).T + b])


@every_method
def test_a_layer_that_grew_while_an_old_loss_is_alive_goes_on(method: str) -> None:
    layer, x = layer_of(method), drawn(4, IN)
    old = layer(x).sum()
    old.backward(retain_graph=True)
    grow(method, layer, 2)
    same(gradients(layer, layer, x), gradients(layer, lambda x: apart(layer, x), x))
    assert old.isfinite()


@every_method
def test_backward_twice_through_one_forward_gives_the_same(method: str) -> None:
    layer, x = layer_of(method), drawn(4, IN).requires_grad_()
    loss, trained = layer(x).pow(2).sum(), [p for p in layer.parameters() if p.requires_grad]
    same(*(list(torch.autograd.grad(loss, [x, *trained], retain_graph=True)) for _ in range(2)))


@every_method
@pytest.mark.parametrize("reentrant", [True, False])
def test_gradient_checkpointing_changes_nothing(method: str, reentrant: bool) -> None:
    layer, x = layer_of(method), drawn(4, IN).requires_grad_()

    def again(x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = checkpoint(layer, x, use_reentrant=reentrant)
        return result

    same(gradients(layer, again, x), gradients(layer, layer, x))


@every_method
def test_a_compiled_layer_gives_the_same(method: str) -> None:
    layer, x = layer_of(method), drawn(4, IN).requires_grad_()
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    same(gradients(layer, compiled, x), gradients(layer, layer, x))


def test_nothing_as_large_as_the_result_or_the_weight_is_kept() -> None:
    layer = layer_of("triadaptlora", nn.Linear(64, 48))
    x, own = drawn(40, 64), {p.data_ptr() for p in layer.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.data_ptr() not in own | {x.data_ptr()}:
            kept[tensor.data_ptr()] = tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        layer(x)
    rank = 3
    assert sum(kept.values()) <= rank * (40 + 48) + 4 * rank * rank


def test_a_frozen_layer_shows_its_weight_as_out_by_in() -> None:
    conv = Conv1D(OUT, IN).requires_grad_(False)
    weight, _ = frozen_linear(conv, drawn(4, IN, dtype=torch.float32)) or (None, None)
    assert weight is not None and weight.shape == (OUT, IN)
    assert frozen_linear(nn.Embedding(3, 4), drawn(4, IN)) is None
