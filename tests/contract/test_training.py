"""Wrapping, training, types and dropout: every method over every base."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from bases import BASES, bert, close, every_base, logits, planted, through
from methods import (
    CONTRACTS,
    config_of,
    contract_of,
    every_four_bit_method,
    every_growing_method,
    every_method,
    layers_of,
    optimized,
    parts_of,
    peft_warnings,
    ranks,
    trained,
    trained_on,
    wrapped,
)
from peft import PeftModel, get_peft_model

from triadapt.config import parse_config
from triadapt.events import Matrix
from triadapt.methods.registry import METHODS

pytestmark = peft_warnings


def test_every_registered_method_is_held_to_this_contract() -> None:
    assert set(CONTRACTS) == set(METHODS), "every method needs an entry in CONTRACTS of tests/contract/methods.py"


@every_four_bit_method
def test_every_limit_of_a_method_names_what_there_is_and_whose_it_is(method: str) -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    for limit, reason in contract_of(method).limits.items():
        assert limit in BASES or limit in ("four_bit", "low_cpu_mem_usage") or f"\ndef {limit}(" in tests, limit
        assert re.match(r"[A-Z]\w+: .", reason), reason


@every_method
def test_the_tuner_under_contract_is_the_one_that_the_registered_driver_trains(method: str) -> None:
    names = BASES["planted"].target_names()
    matrices = [Matrix(name, 0, name, (16, 16)) for name in names]
    config, run_class = parse_config({"method": method}), METHODS[method].run_class()
    run: Any = run_class(run_class.adapt(planted(), matrices, config, []), matrices, config)
    assert type(run.model.peft_config["default"]) is type(config_of(method, "planted"))
    under_contract = {id(p) for parts in parts_of(run.model) for p, _ in parts.values()}
    assert under_contract == {id(p) for p in run.model.parameters() if p.requires_grad}


@every_base
@every_method
def test_wrapping_changes_no_output_and_trains_the_adapter_only(method: str, base: str) -> None:
    plain = logits(BASES[base].build())
    model = wrapped(method, base)
    close(logits(model), plain)
    assert len(layers_of(model)) == len(BASES[base].target_names()) > 0
    prefix = contract_of(method).prefix
    assert all(prefix in name for name, p in model.named_parameters() if p.requires_grad)
    held = {id(p) for parts in parts_of(model) for p, _ in parts.values()}
    assert held == {id(p) for p in model.parameters() if p.requires_grad}


@every_base
@every_method
def test_the_first_gradient_reaches_exactly_the_parts_that_do_not_start_behind_a_zero(method: str, base: str) -> None:
    for parts in parts_of(optimized(wrapped(method, base), steps=0)):
        reached = {name for name, (p, mask) in parts.items() if p.grad is not None and p.grad[mask].any()}
        assert reached == contract_of(method).first


@every_base
@every_method
def test_after_three_steps_every_part_has_a_gradient_and_has_moved(method: str, base: str) -> None:
    model = wrapped(method, base)
    before = [{name: p.detach().clone() for name, (p, _) in parts.items()} for parts in parts_of(model)]
    optimized(model, steps=3)
    for old, parts in zip(before, parts_of(model), strict=True):
        for name, (p, mask) in parts.items():
            assert p.grad is not None and p.grad[mask].any() and torch.isfinite(p.grad).all(), name
            assert not torch.equal(p[mask], old[name][mask]), name


@every_base
@every_growing_method
def test_no_rank_of_a_grown_adapter_is_dead_and_nothing_outside_its_parts_has_a_gradient(
    method: str, base: str
) -> None:
    model = trained_on(method, base)
    for layer in layers_of(model):
        if method == "increlora":
            layer.set_used("default", layer.used("default"))  # its reserve, which `trained` put out
    for parts in parts_of(optimized(model, steps=1)):
        reached: dict[int, torch.Tensor] = {}
        for name, (p, mask) in parts.items():
            assert p.grad is not None
            # Ranks are columns of B and of U, rows of everything else.
            across = 0 if name.endswith(("B", "U")) else 1
            alive = (p.grad * mask != 0).any(dim=across)
            assert bool(alive[mask.any(dim=across)].all()), name
            reached[id(p)] = reached.get(id(p), torch.zeros_like(mask)) | mask
        for p, _ in parts.values():
            assert p.grad is not None and not p.grad[~reached[id(p)]].any()


@every_method
def test_dropout_is_active_in_training_only(method: str) -> None:
    model = trained(wrapped(method, "planted", **{contract_of(method).dropout: 0.5}))
    close(logits(model), logits(model), 0)
    model.train()
    assert not torch.equal(through(model), through(model))


@every_base
@every_method
def test_a_base_model_in_bfloat16_trains_with_adapters_in_float32(method: str, base: str) -> None:
    model = get_peft_model(BASES[base].build().to(torch.bfloat16), config_of(method, base))
    assert isinstance(model, PeftModel)
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
    assert not contract_of(method).uneven or len(set(ranks(model))) > 2


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


@every_method
def test_an_adapter_for_inference_over_bfloat16_trains_nothing(method: str) -> None:
    config = config_of(method, "bert", inference_mode=True)
    model = get_peft_model(BASES["bert"].build().to(torch.bfloat16), config)
    assert not [name for name, p in model.named_parameters() if p.requires_grad]
