"""Wrapping, training, types and dropout: every method over every base."""

from typing import Any

import pytest
import torch
from bases import BASES, bert, close, every_base, logits, through
from methods import (
    CONTRACTS,
    config_of,
    contract_of,
    every_growing_method,
    every_method,
    layers_of,
    peft_warnings,
    ranks,
    trained,
    trained_on,
    wrapped,
)
from peft import PeftModel, get_peft_model

from triadapt.methods.registry import METHODS

pytestmark = peft_warnings


def gradients(model: PeftModel, method: str) -> list[tuple[int, str, Any, Any]]:
    """Layer, part, gradient and mask of every part, after one backward pass."""
    model.zero_grad()
    through(model).pow(2).mean().backward()
    parts = contract_of(method).parts
    return [
        (index, name, parameter.grad, mask)
        for index, layer in enumerate(layers_of(model))
        for name, (parameter, mask) in parts(layer, "default").items()
    ]


def test_every_registered_method_is_held_to_this_contract() -> None:
    assert list(CONTRACTS) == [name for name in CONTRACTS if name in METHODS]
    assert not set(METHODS) - set(CONTRACTS), "add an entry to CONTRACTS in tests/contract/methods.py"


@every_method
def test_the_method_is_the_one_that_its_driver_configures(method: str) -> None:
    config = config_of(method, "bert")
    assert config.peft_type.value == method.upper()


@every_base
@every_method
def test_wrapping_changes_no_output_and_trains_the_adapter_only(method: str, base: str) -> None:
    plain = logits(BASES[base].build())
    model = wrapped(method, base)
    close(logits(model), plain)
    assert [name for name in BASES[base].target_names()] and len(layers_of(model)) == len(BASES[base].target_names())
    prefix = contract_of(method).prefix
    assert all(prefix in name for name, p in model.named_parameters() if p.requires_grad)
    held = {id(p) for layer in layers_of(model) for p, _ in contract_of(method).parts(layer, "default").values()}
    assert held == {id(p) for p in model.parameters() if p.requires_grad}


@every_base
@every_method
def test_the_first_gradient_reaches_exactly_the_parts_that_do_not_start_behind_a_zero(method: str, base: str) -> None:
    for index, name, gradient, mask in gradients(wrapped(method, base).train(), method):
        reached = gradient is not None and bool(gradient[mask].any())
        assert reached == (name in contract_of(method).first), (index, name)


@every_base
@every_method
def test_after_three_steps_every_part_has_a_gradient_and_has_moved(method: str, base: str) -> None:
    model = wrapped(method, base)
    parts = contract_of(method).parts
    before = [
        {name: p.detach().clone() for name, (p, _) in parts(layer, "default").items()} for layer in layers_of(model)
    ]
    model.train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.02, weight_decay=0)
    for _ in range(3):
        optimizer.zero_grad()
        through(model).pow(2).mean().backward()
        optimizer.step()
    for index, name, gradient, mask in gradients(model, method):
        assert gradient[mask].any(), (index, name)
        assert torch.isfinite(gradient).all(), (index, name)
        now, then = parts(layers_of(model)[index], "default")[name][0], before[index][name]
        assert not torch.equal(now[mask], then[mask]), (index, name)


@every_base
@every_growing_method
def test_no_row_of_a_grown_adapter_is_dead(method: str, base: str) -> None:
    model = trained_on(method, base).train()
    for layer in layers_of(model):
        if hasattr(layer, "set_used"):
            layer.set_used("default", layer.used("default"))
    through(model).pow(2).mean().backward()
    for layer in layers_of(model):
        for name, (parameter, mask) in contract_of(method).parts(layer, "default").items():
            assert parameter.grad is not None
            # Ranks are columns of B and of U, rows of everything else.
            across = 0 if name.endswith(("B", "U")) else 1
            alive = (parameter.grad != 0).any(dim=across)
            assert bool(alive[mask.any(dim=across)].all()), name


@every_growing_method
def test_no_gradient_reaches_what_stands_outside_the_parts_in_use(method: str) -> None:
    model = trained_on(method, "bert").train()
    through(model).pow(2).mean().backward()
    for layer in layers_of(model):
        for name, (parameter, mask) in contract_of(method).parts(layer, "default").items():
            outside = ~mask
            if method == "increlora" and name != "E":
                outside = torch.zeros_like(mask)  # the reserve's A and B are parts of their own
            assert parameter.grad is not None and not parameter.grad[outside].any(), name


@every_method
def test_dropout_is_active_in_training_only(method: str) -> None:
    model = trained(wrapped(method, "planted", **{contract_of(method).dropout: 0.5}))
    close(logits(model), logits(model), 0)
    model.train()
    assert not torch.equal(through(model), through(model))


@every_base
@every_method
def test_a_base_model_in_bfloat16_trains_with_adapters_in_float32(method: str, base: str) -> None:
    config = config_of(method, base)
    model = get_peft_model(BASES[base].build().to(torch.bfloat16), config)
    assert isinstance(model, PeftModel)
    if base == "planted":
        pytest.skip("the planted network's batch is float32; its base is never anything else")
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}
    assert not [p for p in model.parameters() if not p.requires_grad and p.dtype == torch.float32 and p.numel() > 1]
    trained(model)
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}
    assert logits(model).dtype == torch.bfloat16
    expected = logits(model)
    model.merge_adapter()
    close(logits(model).float(), expected.float(), 0.02)


@every_method
def test_adapters_keep_the_type_of_the_base_when_peft_is_told_not_to_cast(method: str) -> None:
    model = get_peft_model(bert().to(torch.bfloat16), config_of(method, "bert"), autocast_adapter_dtype=False)
    assert isinstance(model, PeftModel)
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.bfloat16}
    trained(model)
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.bfloat16}
    assert len(set(ranks(model))) > 2


@every_method
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_base_model_of_another_type_works(method: str, dtype: torch.dtype) -> None:
    model = get_peft_model(bert().to(dtype), config_of(method, "bert"))
    assert isinstance(model, PeftModel)
    trained(model)
    assert logits(model).dtype == dtype
    expected = logits(model)
    model.merge_adapter()
    close(logits(model).float(), expected.float(), 0.02)


@every_base
@every_method
def test_an_adapter_for_inference_has_nothing_to_train(method: str, base: str) -> None:
    model = wrapped(method, base, inference_mode=True)
    assert not [name for name, p in model.named_parameters() if p.requires_grad]
    close(logits(model), logits(BASES[base].build()))
