"""Merging adapters into the base, taking them out again, switching them off: every method over every base."""

import pytest
import torch
from bases import BASES, close, every_base, logits
from methods import every_method, layers_of, parts_of, peft_warnings, ranks, trained_on
from peft.tuners.tuners_utils import BaseTunerLayer

pytestmark = peft_warnings


@every_base
@every_method
def test_merging_keeps_the_outputs_and_unmerging_gives_the_base_weights_back(method: str, base: str) -> None:
    model = trained_on(method, base)
    weights = [layer.get_base_layer().weight.detach().clone() for layer in layers_of(model)]
    expected = logits(model)
    model.merge_adapter()
    close(logits(model), expected)
    for layer, weight, rank in zip(layers_of(model), weights, ranks(model), strict=True):
        assert torch.equal(layer.get_base_layer().weight, weight) == (rank == 0)
    model.unmerge_adapter()
    close(logits(model), expected)
    for layer, weight in zip(layers_of(model), weights, strict=True):
        close(layer.get_base_layer().weight.detach(), weight, 1e-6)


@every_base
@every_method
def test_merge_and_unload_leaves_a_plain_model_with_the_same_outputs(method: str, base: str) -> None:
    model = trained_on(method, base)
    expected = logits(model)
    plain = model.merge_and_unload(safe_merge=True)
    assert not any(isinstance(module, BaseTunerLayer) for module in plain.modules())
    assert list(plain.state_dict()) == list(BASES[base].build().state_dict())
    close(logits(plain), expected)


@every_base
@every_method
def test_merging_moves_each_weight_by_its_update_in_the_layout_of_the_base(method: str, base: str) -> None:
    model = trained_on(method, base)
    for layer in layers_of(model):
        weight = layer.get_base_layer().weight
        before, delta = weight.detach().clone(), layer.get_delta_weight("default").detach()
        assert delta.shape == weight.shape
        layer.merge()
        close(layer.get_base_layer().weight.detach(), before + delta, 1e-6)


@every_method
def test_a_merge_that_would_not_be_finite_is_refused_and_changes_nothing(method: str) -> None:
    model = trained_on(method, "bert")
    layer = layers_of(model)[1]
    weight = layer.get_base_layer().weight.detach().clone()
    next(iter(parts_of(model)[1].values()))[0].data[0] = float("nan")
    with pytest.raises(ValueError, match=r"not finite|NaNs detected"):
        layer.merge(safe_merge=True)
    assert torch.equal(layer.get_base_layer().weight, weight)
    assert not layer.merged


@every_base
@every_method
def test_unload_gives_the_base_model_back(method: str, base: str) -> None:
    plain = logits(BASES[base].build())
    unloaded = trained_on(method, base).unload()
    assert not any(isinstance(module, BaseTunerLayer) for module in unloaded.modules())
    close(logits(unloaded), plain, 1e-6)


@every_base
@every_method
def test_a_disabled_adapter_changes_nothing(method: str, base: str) -> None:
    plain = logits(BASES[base].build())
    model = trained_on(method, base)
    expected = logits(model)
    assert not torch.allclose(expected, plain)
    with model.disable_adapter():
        close(logits(model), plain, 1e-6)
    close(logits(model), expected, 1e-6)
    model.merge_adapter()
    with model.disable_adapter():
        close(logits(model), plain)
