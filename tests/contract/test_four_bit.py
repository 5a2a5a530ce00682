"""Adapters over a base in 4 bits (NF4, bitsandbytes on CPU): every method, and what rounding costs.

Layers are 64 wide, the size of a block that is quantized together. Outputs are taken in training mode, where the
product is the same on every CPU: in evaluation bitsandbytes may compute in bfloat16.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from bases import Base, close, gpt2, llama, through
from methods import (
    contract_of,
    contract_of_adapter,
    every_four_bit_method,
    every_method_of_ours,
    layers_of,
    optimized,
    parts_of,
    peft_warnings,
    ranks,
    trained,
)
from peft import PeftModel, get_peft_model
from torch import nn
from transformers import BitsAndBytesConfig, GPT2LMHeadModel, LlamaForSequenceClassification

from triadapt import save_as_lora
from triadapt.methods.four_bit import dequantized, requantize

bnb = pytest.importorskip("bitsandbytes", reason="bitsandbytes, the extra four-bit, is not installed")
pytestmark = [
    *peft_warnings,
    # What PEFT and we say about merging into 4 bits; `test_merging_says_that_it_rounds` holds us to it.
    pytest.mark.filterwarnings("ignore:.*4-bit (linear|weights)"),
]

# Half the widest gap between two levels, as a share of the largest weight in a block: no weight is rounded by more.
# Nested quantization also rounds the largest weight, to 8 bits between the smallest and the largest of many.
HALF_GAP = {"nf4": 0.153, "fp4": 0.168, "nested": 0.153 + 0.05}

WIDE = Base(lambda: llama(hidden_size=64, intermediate_size=128), ["q_proj", "v_proj", "down_proj"], "score")
Load = Callable[..., Any]


@pytest.fixture
def load(request: pytest.FixtureRequest, from_folder: Load) -> Load:
    """The same small Llama in 4 bits, loaded as such or brought into them by the method of the test; its arguments go
    to the quantization."""
    values = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    quantize = contract_of(values["method"]).quantize if "method" in values else None
    if quantize is None:
        return from_folder

    def quantized(dtype: torch.dtype = torch.float32, **given: Any) -> Any:
        model = WIDE.build().to(dtype)
        kind, twice = given.get("bnb_4bit_quant_type", "nf4"), given.get("bnb_4bit_use_double_quant", False)
        quantize(model, WIDE.targets, kind, twice)
        return model

    return quantized


@pytest.fixture(scope="module")
def from_folder(tmp_path_factory: pytest.TempPathFactory) -> Load:
    """Loads it as transformers does, all of its layers in 4 bits."""
    folder = str(tmp_path_factory.mktemp("llama"))
    WIDE.build().save_pretrained(folder)

    def loaded(dtype: torch.dtype = torch.float32, **values: Any) -> Any:
        return LlamaForSequenceClassification.from_pretrained(folder, dtype=dtype, quantization_config=nf4(**values))

    return loaded


def nf4(**values: Any) -> BitsAndBytesConfig:
    return BitsAndBytesConfig(
        **{
            "load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": torch.float32, **values
        }
    )  # fmt: skip


def adapted(method: str, base: Any, **values: Any) -> PeftModel:
    config = contract_of(method).config(WIDE, **values)
    torch.manual_seed(1)
    model = get_peft_model(base, config)
    assert isinstance(model, PeftModel)
    return model


def outputs(model: nn.Module) -> torch.Tensor:
    model.train()
    with torch.no_grad():
        found: torch.Tensor = through(model).clone()
    return found


def trained_far(model: PeftModel) -> PeftModel:
    """Train, then make the update large beside the levels of 4 bits."""
    trained(model)
    with torch.no_grad():
        for parts in parts_of(model):
            for name, (parameter, _) in parts.items():
                if name.startswith(contract_of_adapter(model).last):
                    parameter.mul_(8)
    return model


def largest(weight: torch.Tensor) -> torch.Tensor:
    """For every entry the largest magnitude among the 64 that are quantized together."""
    return weight.reshape(-1, 64).abs().amax(dim=1, keepdim=True).expand(-1, 64).reshape(weight.shape)


def base_bytes(model: PeftModel) -> list[torch.Tensor]:
    return [layer.get_base_layer().weight.data.clone() for layer in layers_of(model)]


@every_four_bit_method
def test_wrapping_four_bits_changes_no_output_and_trains_the_adapter_only(method: str, load: Load) -> None:
    plain = outputs(load())
    model = adapted(method, load())
    close(outputs(model), plain)
    assert len(layers_of(model)) == 6
    assert all(isinstance(layer.get_base_layer(), bnb.nn.Linear4bit) for layer in layers_of(model))
    assert all(contract_of(method).prefix in name for name, p in model.named_parameters() if p.requires_grad)


@every_four_bit_method
def test_training_over_four_bits_reaches_every_part_and_no_base_weight(method: str, load: Load) -> None:
    model = adapted(method, load())
    before = base_bytes(model)
    for parts in parts_of(optimized(model, steps=3)):
        for name, (parameter, mask) in parts.items():
            assert parameter.grad is not None and parameter.grad[mask].any(), name
            assert parameter.dtype == torch.float32
    assert all(torch.equal(a, b) for a, b in zip(before, base_bytes(model), strict=True))


@every_four_bit_method
@pytest.mark.parametrize("low_cpu_mem_usage", [False, True], ids=["plain", "low memory"])
def test_an_adapter_over_four_bits_with_a_rank_for_each_matrix_loads_to_equal_outputs(
    method: str, low_cpu_mem_usage: bool, load: Load, tmp_path: Path
) -> None:
    model = trained(adapted(method, load()))
    assert not contract_of(method).uneven or len(set(ranks(model))) > 2
    expected = outputs(model)
    model.save_pretrained(str(tmp_path))
    loaded = PeftModel.from_pretrained(load(), str(tmp_path), low_cpu_mem_usage=low_cpu_mem_usage)
    assert ranks(loaded) == ranks(model)
    close(outputs(loaded), expected, 1e-6)


@every_four_bit_method
def test_a_disabled_adapter_leaves_the_four_bit_model(method: str, load: Load) -> None:
    plain = outputs(load())
    model = trained(adapted(method, load()))
    expected = outputs(model)
    with model.disable_adapter():
        close(outputs(model), plain, 1e-6)
    close(outputs(model), expected, 1e-6)
    close(outputs(model.unload()), plain, 1e-6)


@every_four_bit_method
@pytest.mark.parametrize(
    "values",
    [{}, {"bnb_4bit_use_double_quant": True}, {"bnb_4bit_quant_type": "fp4"}],
    ids=["nf4", "nf4 nested", "fp4"],
)
def test_merging_into_four_bits_rounds_each_weight_to_the_nearest_level(
    method: str, values: dict[str, Any], load: Load
) -> None:
    model = trained_far(adapted(method, load(**values)))
    apart = outputs(model)
    with model.disable_adapter():
        plain = outputs(model)
    bases = [layer.get_base_layer() for layer in layers_of(model)]
    before = [dequantized(base) for base in bases]
    deltas = [layer.get_delta_weight("default").detach() for layer in layers_of(model)]
    model.merge_adapter(safe_merge=True)
    rounding = HALF_GAP["nested" if "bnb_4bit_use_double_quant" in values else values.get("bnb_4bit_quant_type", "nf4")]
    merged = [dequantized(base) for base in bases]
    for base, old, delta, new in zip(bases, before, deltas, merged, strict=True):
        assert base.weight.dtype == torch.uint8 and base.weight.quant_state is not None
        assert base.weight.compress_statistics == bool(values.get("bnb_4bit_use_double_quant"))
        assert base.weight.quant_type == values.get("bnb_4bit_quant_type", "nf4")
        assert bool(((new - (old + delta)).abs() <= rounding * largest(old + delta)).all())
    assert (outputs(model) - apart).norm() < 0.5 * (plain - apart).norm()
    model.unmerge_adapter()
    for base, delta, new in zip(bases, deltas, merged, strict=True):
        assert bool(((dequantized(base) - (new - delta)).abs() <= rounding * largest(new - delta)).all())


def test_adalora_over_four_bits_cannot_be_merged_by_peft_itself(load: Load) -> None:
    with pytest.raises(NotImplementedError):
        adapted("adalora", load()).merge_adapter()


@every_four_bit_method
def test_merge_and_unload_leaves_a_four_bit_model(method: str, load: Load) -> None:
    plain = outputs(load())
    model = trained_far(adapted(method, load()))
    apart = outputs(model)
    unloaded = model.merge_and_unload(safe_merge=True)
    assert isinstance(unloaded.model.layers[0].self_attn.q_proj, bnb.nn.Linear4bit)
    assert (outputs(unloaded) - apart).norm() < 0.5 * (plain - apart).norm()


@every_method_of_ours
def test_merging_says_that_it_rounds(method: str, load: Load) -> None:
    model = adapted(method, load())
    with pytest.warns(UserWarning, match="Merging into 4-bit weights rounds them"):
        model.merge_adapter()
    with pytest.warns(UserWarning, match="Unmerging from 4-bit weights rounds them"):
        model.unmerge_adapter()


@every_method_of_ours
def test_evaluation_spoils_neither_merging_nor_gradients(method: str, load: Load) -> None:
    """On CPUs with AVX512-BF16, bitsandbytes orders a weight anew at its first evaluation."""
    model = trained_far(adapted(method, load()))
    apart = outputs(model)
    with model.disable_adapter():
        plain = outputs(model)

    def evaluate() -> None:
        model.eval()
        with torch.no_grad():
            through(model)

    evaluate()
    assert (outputs(model) - apart).norm() < 0.1 * (plain - apart).norm()
    through(model.train()).pow(2).mean().backward()
    assert all(p.grad is not None and p.grad.any() for p, _ in parts_of(model)[0].values())
    evaluate()
    model.merge_adapter()
    assert (outputs(model) - apart).norm() < 0.5 * (plain - apart).norm()
    evaluate()
    model.unmerge_adapter()
    assert (outputs(model) - apart).norm() < 0.5 * (plain - apart).norm()


@every_method_of_ours
def test_the_plain_lora_export_gives_the_same_outputs_over_four_bits(method: str, load: Load, tmp_path: Path) -> None:
    model = trained(adapted(method, load(), modules_to_save=["score"]))
    save_as_lora(model, tmp_path)
    loaded = PeftModel.from_pretrained(load(), str(tmp_path))
    assert loaded.peft_config["default"].peft_type == "LORA"
    close(outputs(loaded), outputs(model))


@every_method_of_ours
def test_a_bfloat16_model_in_four_bits_has_adapters_in_float32(method: str, load: Load) -> None:
    model = adapted(method, load(dtype=torch.bfloat16, bnb_4bit_compute_dtype=torch.bfloat16))
    trained(model)
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}
    assert outputs(model).dtype == torch.bfloat16


@every_method_of_ours
def test_conv1d_layers_in_four_bits_are_adapted_and_merged_the_right_way_round(method: str, tmp_path: Path) -> None:
    gpt2(64).save_pretrained(str(tmp_path))
    base = GPT2LMHeadModel.from_pretrained(str(tmp_path), quantization_config=nf4())
    layer = base.transformer.h[0].attn.c_attn
    close(dequantized(layer), gpt2(64).transformer.h[0].attn.c_attn.weight.T.detach(), 0.02)
    model = trained_far(adapted(method, base, target_modules=["c_attn", "c_fc"]))
    apart = outputs(model)
    with model.disable_adapter():
        plain = outputs(model)
    model.merge_adapter()
    assert (outputs(model) - apart).norm() < 0.5 * (plain - apart).norm()


def test_a_weight_on_levels_survives_requantizing_unchanged() -> None:
    layer = bnb.nn.Linear4bit(64, 32, bias=False, quant_type="nf4", compress_statistics=False).to("cpu")
    weight = dequantized(layer)
    requantize(layer, weight)
    assert torch.equal(dequantized(layer), weight)


@every_method_of_ours
def test_eight_bits_are_refused_by_name(method: str) -> None:
    model = WIDE.build()
    model.model.layers[1].self_attn.q_proj = bnb.nn.Linear8bitLt(64, 64, bias=False, has_fp16_weights=False)
    message = (
        "target_modules: model.layers.1.self_attn.q_proj is a Linear8bitLt; 8-bit layers cannot be adapted, "
        "load the model in 4 bits or as it is"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        adapted(method, model)


def test_nothing_in_this_package_imports_bitsandbytes() -> None:
    package = Path(__file__).parents[2] / "triadapt"
    imports = re.compile(r"^\s*(import|from) bitsandbytes", re.MULTILINE)
    assert not [path for path in package.rglob("*.py") if imports.search(path.read_text())]
