"""VeRA, LoHa and QLoRA as PEFT hosts them: their sizes, and what they refuse before anything is trained."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig
from torch import nn
from transformers.pytorch_utils import Conv1D

from triadapt.config import ConfigError, parse_config
from triadapt.events import Matrix
from triadapt.methods.four_bit import dequantized, is_four_bit, reads_right
from triadapt.methods.qlora import quantize
from triadapt.methods.registry import METHODS
from triadapt.training.session import Session

BLOCK = [(768, 768)] * 4 + [(3072, 768), (768, 3072)]
"""Query, key, value, attention output and both layers of the feed-forward net of BERT-base and of DeBERTaV3-base."""
ENCODER = BLOCK * 12
TINY = {"blocks": 1, "width": 16, "heads": 2, "tokens": 4, "pool": 64, "held_out": 16}
HOSTED = ("vera", "loha", "adamss", "qlora")


def settings_of(method: str, **values: Any) -> tuple[Any, Any]:
    config = parse_config({"method": method, **values})
    return config, config.method_settings


class Block(nn.Module):
    """One block's linear layers, side by side."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linears = nn.ModuleList(nn.Linear(wide, out) for out, wide in BLOCK)


def adapted(method: str, model: nn.Module, matrices: list[Matrix], **values: Any) -> Any:
    config, run_class = parse_config({"method": method, **values}), METHODS[method].run_class()
    return run_class(run_class.adapt(model, matrices, config, []), matrices, config)


@pytest.mark.parametrize("method", HOSTED)
def test_parameters_of_a_block_of_bert_base_are_those_that_train(method: str) -> None:
    if method == "qlora":
        pytest.importorskip("bitsandbytes", reason="bitsandbytes, the extra four-bit, is not installed")
    config, settings = settings_of(method, reference_rank=8)
    matrices = [Matrix(f"linears.{i}", 0, str(i), shape) for i, shape in enumerate(BLOCK)]
    run = adapted(method, Block(), matrices, reference_rank=8)
    trained = sum(p.numel() for p in run.model.parameters() if p.requires_grad)
    assert run.parameter_count() == trained == settings.parameters(config, BLOCK)


def test_parameters_of_bert_base_and_deberta_v3_base_follow_the_formulas_of_the_papers() -> None:
    lora = sum(8 * (out + wide) for out, wide in ENCODER)
    assert lora == 12 * (4 * 8 * 1536 + 2 * 8 * 3840)
    config, vera = settings_of("vera", vera={"rank": 256})
    assert vera.parameters(config, ENCODER) == 12 * (5 * (256 + 768) + 256 + 3072) == 101_376
    # On query and value alone, as in its paper for RoBERTa-base: L (d + r) a place, d = 768, r = 1024.
    config, vera = settings_of("vera", vera={"rank": 1024})
    assert vera.parameters(config, [(768, 768)] * 24) == 43_008
    config, loha = settings_of("loha", reference_rank=8)
    assert loha.parameters(config, ENCODER) == 2 * lora
    config, qlora = settings_of("qlora", reference_rank=8)
    assert qlora.parameters(config, ENCODER) == lora
    config, adamss = settings_of("adamss", adamss={"subspaces": 5, "subspace_rank": 1})
    assert adamss.parameters(config, ENCODER) == 12 * (5 * (5 * 100 + 768) + 5 * 100 + 3072) == 118_944


@pytest.mark.parametrize(("method", "label"), [("loha", "LoHa"), ("adamss", "AdaMSS")])
def test_what_a_tuner_lacks_is_one_line_of_the_configuration(method: str, label: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config({"method": method, "adapter_dropout": 0.1})
    assert str(caught.value) == (
        f"adapter_dropout = 0.1: PEFT's {label} has no dropout on the input of its adapter; set it to 0"
    )
    with pytest.raises(ConfigError) as caught:
        parse_config({"method": method, "task": "causal", "causal": {"weights": "4-bit"}})
    assert (
        f"causal.weights = '4-bit': PEFT's {label} adapts no weights in 4 bits; hold them in float32 or bfloat16, or "
        f"choose another method"
    ) in caught.value.lines


@pytest.mark.parametrize(("method", "label"), [("loha", "LoHa"), ("adamss", "AdaMSS")])
def test_a_layer_that_is_not_linear_is_named_before_anything_is_wrapped(method: str, label: str) -> None:
    model = nn.Sequential(nn.Linear(16, 16), Conv1D(16, 16))
    matrices = [Matrix(str(i), 0, str(i), (16, 16)) for i in range(2)]
    with pytest.raises(ValueError) as caught:
        adapted(method, model, matrices)
    assert str(caught.value) == (
        f"method = '{method}': 1 is a Conv1D; PEFT's {label} adapts Linear layers only, choose another method for this "
        f"model"
    )
    assert type(model[0]) is nn.Linear


@pytest.mark.parametrize(("method", "label"), [("loha", "LoHa"), ("adamss", "AdaMSS")])
def test_a_layer_in_four_bits_is_named_before_anything_is_wrapped(method: str, label: str) -> None:
    bnb = pytest.importorskip("bitsandbytes", reason="bitsandbytes, the extra four-bit, is not installed")
    model = nn.Sequential(bnb.nn.Linear4bit(64, 64, bias=False).to("cpu"))
    with pytest.raises(ValueError, match=f"0 is a Linear4bit; PEFT's {label} adapts no quantized weights"):
        adapted(method, model, [Matrix("0", 0, "0", (64, 64))])


@pytest.mark.parametrize("value", [0, -1.0, 11, float("inf")])
def test_what_vera_starts_with_is_above_zero_and_not_large(value: float) -> None:
    with pytest.raises(ConfigError, match=r"^vera\.d_initial = "):
        parse_config({"method": "vera", "vera": {"d_initial": value}})


def test_all_matrices_of_vera_share_their_factors() -> None:
    session = Session(parse_config({"method": "vera", "planted": TINY, "vera": {"rank": 8}}))
    run: Any = session.method
    assert run.shared() == [list(range(len(session.matrices)))]
    assert len({layer.vera_A["default"].data_ptr() for layer in run.layers}) == 1


@pytest.mark.parametrize("method", ["vera", "loha"])
def test_the_rank_of_a_trained_update_is_measured(method: str) -> None:
    session = Session(parse_config({"method": method, "steps": 12, "warmup": 2, "planted": TINY}))
    session.open()
    assert not session.method.ranks().any()
    while not session.done:
        session.advance()
    assert session.method.ranks().all()


def test_qlora_without_bitsandbytes_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "bitsandbytes" else find(name, *rest)
    )
    with pytest.raises(ValueError) as caught:
        adapted("qlora", nn.Sequential(nn.Linear(64, 64)), [Matrix("0", 0, "0", (64, 64))])
    assert str(caught.value) == (
        "method = 'qlora': bitsandbytes is not installed; run `pip install \"triadapt[four-bit]\"`"
    )


@pytest.mark.parametrize("conv", [False, True])
@pytest.mark.parametrize("quant_type", ["nf4", "fp4"])
@pytest.mark.parametrize("double_quant", [False, True])
def test_qlora_rounds_what_it_adapts_and_nothing_else(conv: bool, quant_type: str, double_quant: bool) -> None:
    pytest.importorskip("bitsandbytes", reason="bitsandbytes, the extra four-bit, is not installed")
    torch.manual_seed(0)
    model = nn.Sequential(Conv1D(128, 64) if conv else nn.Linear(64, 128), nn.Linear(128, 64))
    layer: Any = model[0]
    weight = (layer.weight.T if conv else layer.weight).detach().clone()
    bias = layer.bias.detach().clone()
    run = adapted(
        "qlora", model, [Matrix("0", 0, "0", (128, 64))], qlora={"quant_type": quant_type, "double_quant": double_quant}
    )
    base = run.layers[0].get_base_layer()
    assert is_four_bit(base) and base.weight.quant_type == quant_type and base.weight.quant_state.nested == double_quant
    assert torch.equal(base.bias, bias)
    assert type(model[1]) is nn.Linear
    largest = weight.reshape(-1, 64).abs().amax(dim=1).max()
    assert 0 < (dequantized(base) - weight).abs().max() < 0.25 * largest
    x = torch.randn(3, 64)
    with torch.no_grad():
        torch.testing.assert_close(run.layers[0].train()(x), x @ dequantized(base).T + bias, rtol=1e-5, atol=1e-5)
    with pytest.warns(UserWarning, match="Merge lora module to 4-bit"):
        run.model.merge_adapter()


def test_qlora_leaves_a_base_in_four_bits_as_it_is() -> None:
    bnb = pytest.importorskip("bitsandbytes", reason="bitsandbytes, the extra four-bit, is not installed")
    layer = bnb.nn.Linear4bit(64, 64, bias=False, quant_type="fp4").to("cpu")
    run = adapted("qlora", nn.Sequential(layer), [Matrix("0", 0, "0", (64, 64))])
    assert run.layers[0].get_base_layer() is layer and layer.weight.quant_type == "fp4"


def test_qlora_refuses_widths_that_the_cpu_would_read_wrongly() -> None:
    bnb = pytest.importorskip("bitsandbytes", reason="bitsandbytes, the extra four-bit, is not installed")
    torch.manual_seed(0)
    if reads_right(bnb.nn.Linear4bit(16, 16, bias=False, quant_type="nf4").to("cpu")):
        pytest.skip("this CPU reads 4-bit weights of any width right")
    with pytest.raises(ValueError, match=r"method = 'qlora': .* has 16 inputs; .* multiple of 64, so choose such a"):
        Session(parse_config({"method": "qlora", "planted": TINY, "device": "cpu"}))


@pytest.mark.parametrize("harm", ["no linear layer", "read wrongly", "not there"])
def test_a_refusal_of_qlora_leaves_the_model_as_it_was(harm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("bitsandbytes", reason="bitsandbytes, the extra four-bit, is not installed")
    model = nn.Sequential(nn.Linear(64, 64), nn.LayerNorm(64) if harm == "no linear layer" else nn.Linear(64, 128))
    if harm == "read wrongly":
        monkeypatch.setattr(quantize, "reads_right", lambda layer: layer.out_features != 128)
    before = list(model)
    with pytest.raises((ValueError, AttributeError)):
        quantize.quantize_layers(model, ["0", "2" if harm == "not there" else "1"], "nf4", True)
    assert list(model) == before and not hasattr(model, "is_loaded_in_4bit")


@pytest.mark.parametrize("targets", [["a", "b.c"], ["c", "a"], r"a|b\.c"])
def test_what_an_adapter_was_trained_over_is_told_by_names_endings_or_a_pattern(
    targets: list[str] | str, tmp_path: Path
) -> None:
    pytest.importorskip("bitsandbytes", reason="bitsandbytes, the extra four-bit, is not installed")
    LoraConfig(target_modules=targets).save_pretrained(tmp_path)
    b = nn.ModuleDict({"c": nn.Linear(64, 64), "d": nn.Linear(64, 64)})
    model: Any = nn.ModuleDict({"a": nn.Linear(64, 64), "b": b})
    assert quantize.quantized_like(model, tmp_path, "nf4", True) is model
    assert [is_four_bit(layer) for layer in (model["a"], b["c"], b["d"])] == [True, True, False]
    with pytest.raises(ValueError, match="no layer of this model; give the model it was made for"):
        quantize.quantized_like(nn.Sequential(nn.Linear(64, 64)), tmp_path, "nf4", True)
    with pytest.raises(ValueError, match=r"holds no adapter_config\.json"):
        quantize.quantized_like(model, tmp_path / "nowhere", "nf4", True)


def test_on_the_way_to_a_gpu_no_width_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes", reason="bitsandbytes, the extra four-bit, is not installed")
    LoraConfig(target_modules=["0"]).save_pretrained(tmp_path)
    monkeypatch.setattr(quantize, "reads_right", lambda layer: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="multiple of 64"):
        quantize.quantized_like(nn.Sequential(nn.Linear(64, 64)), tmp_path, "nf4", True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(ValueError, match="multiple of 64"):
        quantize.quantized_like(nn.Sequential(nn.Linear(64, 64)), tmp_path, "nf4", True, "cpu")
    model = quantize.quantized_like(nn.Sequential(nn.Linear(64, 64)), tmp_path, "nf4", True)
    assert is_four_bit(model.get_submodule("0"))


def test_qlora_races_on_the_planted_task() -> None:
    pytest.importorskip("bitsandbytes", reason="bitsandbytes, the extra four-bit, is not installed")
    config = parse_config(
        {"method": "qlora", "steps": 12, "warmup": 2, "device": "cpu", "planted": {**TINY, "width": 64}}
    )
    session = Session(config)
    session.open()
    while not session.done:
        session.advance()
    assert session.method.ranks().tolist() == [2] * len(session.matrices)
    assert sum(map(len, [session.method.geometry()[0]])) == 2 * len(session.matrices)
