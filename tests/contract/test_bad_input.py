"""Choosing layers and ranks: what works, and one line naming field, value and fix for what does not."""

from collections.abc import Callable
from typing import Any

import pytest
from bases import bert, gpt2, llama, planted
from methods import (
    CONTRACTS,
    OURS,
    config_of,
    every_growing_method,
    every_method_of_ours,
    layers_of,
    peft_warnings,
    wrapped,
)
from peft import PeftModel, get_peft_model
from torch import nn

pytestmark = peft_warnings


def error_of(model: nn.Module, config: Any) -> str:
    with pytest.raises(ValueError) as caught:
        get_peft_model(model, config)
    message = str(caught.value)
    assert "\n" not in message
    return message


SHARED = [
    ({"bias": "all"}, "bias = 'all': only 'none'"),
    ({"alpha": 0}, "alpha = 0: must be above 0"),
    ({"dropout": 1.0}, "dropout = 1.0: must be at least 0 and below 1"),
]
GROWTH = [
    ({"init_r": 0}, "init_r = 0: must be at least 1"),
    ({"add_r": 0}, "add_r = 0: must be at least 1"),
    ({"reference_rank": 1, "init_r": 2}, "reference_rank = 1: must not be below init_r = 2"),
]


@pytest.mark.parametrize(
    ("method", "values", "message"),
    [(name, *line) for name in OURS for line in SHARED + (GROWTH if CONTRACTS[name].grows else [])],
)
def test_a_wrong_configuration_names_field_value_and_fix(method: str, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config_of(method, "bert", **{"target_modules": ["query"], **values})


@every_method_of_ours
def test_a_layer_that_cannot_be_adapted_is_named(method: str) -> None:
    with pytest.raises(ValueError, match=r"word_embeddings is a Embedding; only Linear and Conv1D"):
        get_peft_model(bert(), config_of(method, "bert", target_modules=["word_embeddings"]))


@every_method_of_ours
@pytest.mark.parametrize(
    ("build", "names"),
    [
        (bert, "classifier, dense, key, query, value"),
        (gpt2, "c_attn, c_fc, c_proj, lm_head"),
        (llama, "down_proj, gate_proj, k_proj, o_proj, q_proj, score, up_proj, v_proj"),
        (planted, "down, k, o, q, up, v"),
    ],
)
def test_unknown_target_modules_are_named_with_those_that_there_are(
    method: str, build: Callable[[], nn.Module], names: str
) -> None:
    message = error_of(build(), config_of(method, "bert", target_modules=["queries", "nothing"]))
    assert message == (
        f"target_modules = ['nothing', 'queries']: no layer of this model is chosen; its linear layers are {names}"
    )
    expression = error_of(build(), config_of(method, "bert", target_modules=r".*\.nothing"))
    assert expression.startswith(r"target_modules = '.*\\.nothing': no layer")


@every_method_of_ours
def test_every_field_that_left_no_layer_is_named(method: str) -> None:
    out_of_range = config_of(method, "llama", target_modules=["q_proj"], layers_to_transform=[7])
    assert error_of(llama(), out_of_range).startswith(
        "target_modules = ['q_proj'], layers_to_transform = [7]: no layer of this model is chosen; "
    )
    excluded = config_of(method, "llama", target_modules=["q_proj"], exclude_modules=["q_proj"])
    assert error_of(llama(), excluded).startswith(
        "target_modules = ['q_proj'], exclude_modules = ['q_proj']: no layer of this model is chosen; "
    )


@every_growing_method
def test_a_start_rank_above_the_size_of_a_layer_names_layer_and_fix(method: str) -> None:
    values = {"target_modules": ["query", "classifier"], "init_r": 4, "reference_rank": 20}
    assert error_of(bert(), config_of(method, "bert", **values)) == (
        "init_r = 4: classifier maps 16 features to 3, so its rank is at most 3; "
        "lower init_r, or leave this layer out with exclude_modules"
    )
    assert len(layers_of(wrapped(method, "bert", **values, exclude_modules=["classifier"]))) == 2
    # The reference rank is an average over matrices: a small one simply stays below it.
    assert wrapped(method, "bert", **{**values, "init_r": 3})


@every_growing_method
def test_a_start_rank_above_the_size_of_a_conv1d_is_named_the_right_way_round(method: str) -> None:
    values = {"target_modules": ["c_attn"], "init_r": 17, "reference_rank": 20}
    assert error_of(gpt2(), config_of(method, "gpt2", **values)).startswith(
        "init_r = 17: transformer.h.0.attn.c_attn maps 16 features to 48, so its rank is at most 16; "
    )


@every_method_of_ours
@pytest.mark.parametrize("base", ["llama", "gpt2"])
def test_layers_to_transform_chooses_blocks(method: str, base: str) -> None:
    whole, one = wrapped(method, base), wrapped(method, base, layers_to_transform=[1])
    assert len(layers_of(one)) == len(layers_of(whole)) // 2
    tuner: Any = one.base_model
    assert all(".1." in name for name in tuner.layers())


@every_method_of_ours
def test_all_linear_adapts_every_linear_layer_but_the_head(method: str) -> None:
    model = get_peft_model(llama(), config_of(method, "llama", target_modules="all-linear", task_type="SEQ_CLS"))
    assert isinstance(model, PeftModel)
    tuner: Any = model.base_model
    names = {name.rpartition(".")[2] for name in tuner.layers()}
    assert names == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


@every_method_of_ours
def test_a_second_adapter_is_checked_like_the_first(method: str) -> None:
    model = wrapped(method, "bert")
    with pytest.raises(ValueError) as caught:
        model.add_adapter("other", config_of(method, "bert", target_modules=["nothing"]))
    assert str(caught.value) == (
        "target_modules = ['nothing']: no layer of this model is chosen; "
        "its linear layers are classifier, dense, key, query, value"
    )


@every_growing_method
def test_the_start_rank_of_a_second_adapter_is_checked_like_the_first(method: str) -> None:
    model = wrapped(method, "bert")
    with pytest.raises(ValueError, match=r"init_r = 17: .* its rank is at most 16; lower init_r"):
        model.add_adapter("other", config_of(method, "bert", init_r=17, reference_rank=17))
