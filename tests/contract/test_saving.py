"""Saving and loading adapters with a rank for each matrix: every method over every base."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from bases import BASES, bert, close, every_base, logits
from methods import (
    STEPS,
    config_of,
    contract_of,
    every_growing_method,
    every_method,
    parts_of,
    peft_warnings,
    ranks,
    trained,
    trained_on,
    wrapped,
)
from peft import PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file
from torch import nn

pytestmark = peft_warnings


@every_base
@every_method
@pytest.mark.parametrize("low_cpu_mem_usage", [False, True], ids=["plain", "low memory"])
def test_a_saved_adapter_with_a_rank_for_each_matrix_loads_to_equal_outputs(
    method: str, base: str, low_cpu_mem_usage: bool, tmp_path: Path
) -> None:
    model = trained_on(method, base)
    assert not contract_of(method).uneven or len(set(ranks(model))) > 2
    expected = logits(model)
    model.save_pretrained(str(tmp_path))
    assert not list(tmp_path.glob("*.bin"))
    loaded = PeftModel.from_pretrained(BASES[base].build(), str(tmp_path), low_cpu_mem_usage=low_cpu_mem_usage)
    assert not [name for name, p in loaded.named_parameters() if p.is_meta]
    assert not [name for name, b in loaded.named_buffers() if b.is_meta]
    assert not [name for name, p in loaded.named_parameters() if p.requires_grad]
    assert ranks(loaded) == ranks(model)
    close(logits(loaded), expected, 1e-6)


def test_loading_a_pruned_adalora_with_low_cpu_mem_usage_is_what_peft_itself_cannot_do(tmp_path: Path) -> None:
    trained_on("adalora", "bert").save_pretrained(str(tmp_path))
    # `resize_modules_by_rank_pattern` picks rows of a tensor on the meta device by a mask.
    with pytest.raises(NotImplementedError, match="meta"):
        PeftModel.from_pretrained(bert(), str(tmp_path), low_cpu_mem_usage=True)


@every_base
def test_an_adalora_that_was_never_pruned_loads_with_low_cpu_mem_usage(base: str, tmp_path: Path) -> None:
    model = trained(wrapped("adalora", base, tinit=STEPS, tfinal=0, total_step=2 * STEPS))
    expected = logits(model)
    model.save_pretrained(str(tmp_path))
    loaded = PeftModel.from_pretrained(BASES[base].build(), str(tmp_path), low_cpu_mem_usage=True)
    assert not [name for name, p in loaded.named_parameters() if p.is_meta]
    close(logits(loaded), expected, 1e-6)


@every_method
def test_a_loaded_adapter_can_be_saved_again_without_a_difference(method: str, tmp_path: Path) -> None:
    trained_on(method, "bert").save_pretrained(str(tmp_path / "first"))
    loaded = PeftModel.from_pretrained(bert(), str(tmp_path / "first"))
    loaded.save_pretrained(str(tmp_path / "second"))
    first, second = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("first", "second"))
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


@every_growing_method
def test_a_loaded_adapter_can_be_trained_and_grown_further(method: str, tmp_path: Path) -> None:
    trained_on(method, "bert").save_pretrained(str(tmp_path))
    loaded = PeftModel.from_pretrained(bert(), str(tmp_path), is_trainable=True)
    before, grown = logits(loaded), ranks(loaded)
    trained(loaded)
    assert sum(ranks(loaded)) > sum(grown)
    assert not torch.allclose(logits(loaded), before)


@every_method
def test_a_loaded_adapter_can_be_trained_further(method: str, tmp_path: Path) -> None:
    trained_on(method, "bert").save_pretrained(str(tmp_path))
    loaded = PeftModel.from_pretrained(bert(), str(tmp_path), is_trainable=True)
    assert {id(p) for p in loaded.parameters() if p.requires_grad}
    before = logits(loaded)
    trained(loaded, steps=1)
    assert not torch.allclose(logits(loaded), before)


@every_base
@every_method
def test_the_adapter_state_dict_goes_into_a_fresh_model(method: str, base: str) -> None:
    model = trained_on(method, base)
    state = get_peft_model_state_dict(model)
    fresh = wrapped(method, base)
    # What `from_pretrained` reads from the folder; only AdaLoRA keeps ranks there that its tensors need.
    fresh.peft_config["default"] = copy.deepcopy(model.peft_config["default"])
    result: Any = set_peft_model_state_dict(fresh, state)
    assert not result.unexpected_keys
    assert not [key for key in result.missing_keys if contract_of(method).prefix in key and "ranknum" not in key]
    assert ranks(fresh) == ranks(model)
    close(logits(fresh), logits(model), 1e-6)


@every_base
@every_method
def test_a_state_dict_of_the_whole_model_loads_into_one_of_the_same_ranks(method: str, base: str) -> None:
    model = trained_on(method, base)
    twin = copy.deepcopy(model)
    for parameter in twin.parameters():
        nn.init.normal_(parameter.data)
    twin.load_state_dict(model.state_dict())
    close(logits(twin), logits(model), 1e-6)


@every_base
@every_method
def test_modules_to_save_are_trained_saved_and_loaded(method: str, base: str, tmp_path: Path) -> None:
    beside = BASES[base].beside
    model = trained_on(method, base, modules_to_save=[beside])
    name, head = next((n, m) for n, m in model.named_modules() if n.endswith(f".{beside}"))
    assert any(p.requires_grad for p in head.parameters()), name
    any_head: Any = head
    assert not torch.equal(any_head.original_module.weight, any_head.modules_to_save["default"].weight)
    expected = logits(model)
    model.save_pretrained(str(tmp_path))
    assert any(f".{beside}." in key for key in load_file(tmp_path / "adapter_model.safetensors"))
    close(logits(PeftModel.from_pretrained(BASES[base].build(), str(tmp_path))), expected, 1e-6)
    plain = model.merge_and_unload()
    close(logits(plain), expected)


@every_growing_method
def test_the_saved_configuration_reads_back(method: str, tmp_path: Path) -> None:
    model = wrapped(method, "bert", init_r=2, add_r=3, dropout=0.25)
    model.save_pretrained(str(tmp_path))
    loaded = PeftModel.from_pretrained(bert(), str(tmp_path)).peft_config["default"]
    for name in ("init_r", "add_r", "dropout", "alpha", "reference_rank", "target_modules", "peft_type"):
        assert getattr(loaded, name) == getattr(model.peft_config["default"], name), name


@every_method
def test_every_field_of_a_saved_configuration_reads_back(method: str, tmp_path: Path) -> None:
    contract = contract_of(method)
    model = wrapped(method, "bert", **contract.other, **({contract.dropout: 0.25} if contract.dropout else {}))
    held = model.peft_config["default"].to_dict()
    model.save_pretrained(str(tmp_path))
    loaded = PeftModel.from_pretrained(bert(), str(tmp_path)).peft_config["default"].to_dict()
    # A loaded adapter is for inference, and what it was saved by and from is noted in the file.
    varying = {"inference_mode", "base_model_name_or_path", "peft_version", "auto_mapping"}
    assert {k: v for k, v in loaded.items() if k not in varying} == {k: v for k, v in held.items() if k not in varying}


@every_method
def test_a_model_card_can_be_written(method: str, write_card: Callable[[PeftModel, str], None], tmp_path: Path) -> None:
    write_card(trained_on(method, "bert"), str(tmp_path))
    assert "library_name: peft" in (tmp_path / "README.md").read_text()


@every_method
def test_an_adapter_over_bfloat16_loads_in_float32_with_equal_outputs(method: str, tmp_path: Path) -> None:
    model = get_peft_model(bert().to(torch.bfloat16), config_of(method, "bert"))
    assert isinstance(model, PeftModel)
    trained(model).save_pretrained(str(tmp_path))
    loaded = PeftModel.from_pretrained(bert().to(torch.bfloat16), str(tmp_path))
    assert {p.dtype for parts in parts_of(loaded) for p, _ in parts.values()} == {torch.float32}
    close(logits(loaded), logits(model), 0)
