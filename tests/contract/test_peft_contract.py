"""Our tuners keep the promises that PEFT makes for every method."""

import copy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel, get_peft_model
from safetensors.torch import load_file
from torch import nn
from transformers import BertConfig, BertForSequenceClassification, GPT2Config, GPT2LMHeadModel

from triadapt import IncreLoraConfig, TriAdaptLoraConfig, save_as_lora
from triadapt.growth.optimizer_state import FreshSteps
from triadapt.methods.tuner_layer import GrowingLayer
from triadapt.tasks.planted.network import Network, initialise

# PEFT 0.21 still asks transformers 5 for an attribute by its old name.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

IDS = torch.arange(24).view(3, 8) % 30


def bert() -> Any:
    config = BertConfig(
        vocab_size=32, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=16, num_labels=3, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    torch.manual_seed(0)
    return BertForSequenceClassification(config)


def gpt2() -> Any:
    torch.manual_seed(0)
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=32, n_positions=16, n_embd=16, n_layer=2, n_head=2, resid_pdrop=0.0, embd_pdrop=0.0,
            attn_pdrop=0.0, bos_token_id=0, eos_token_id=0,
        )
    )  # fmt: skip


def planted() -> nn.Module:
    network = Network(2, 16, 2)
    initialise(network, torch.Generator().manual_seed(0))
    return network


def logits(model: nn.Module) -> torch.Tensor:
    model.eval()
    with torch.no_grad():
        found: torch.Tensor = through(model).clone()
    return found


def through(model: Any) -> Any:
    inner = model.get_base_model() if isinstance(model, PeftModel) else model
    if isinstance(inner, Network):
        return model(torch.randn(3, 4, 16, generator=torch.Generator().manual_seed(1)))
    return model(input_ids=IDS).logits


BASES: dict[str, tuple[Callable[[], nn.Module], list[str]]] = {
    "bert": (bert, ["query", "value", "output.dense"]),
    "gpt2": (gpt2, ["c_attn", "c_proj"]),
    "planted": (planted, ["q", "o", "up", "down"]),
}
CONFIGS: dict[str, Callable[..., Any]] = {"triadaptlora": TriAdaptLoraConfig, "increlora": IncreLoraConfig}

every_base = pytest.mark.parametrize("base", BASES)
every_method = pytest.mark.parametrize("method", CONFIGS)


def config_of(method: str, base: str, **values: Any) -> Any:
    return CONFIGS[method](target_modules=list(BASES[base][1]), reference_rank=4, alpha=8.0, **values)


def wrapped(method: str, base: str, **values: Any) -> PeftModel:
    model = get_peft_model(BASES[base][0](), config_of(method, base, **values))
    assert isinstance(model, PeftModel)
    return model


def grow(model: PeftModel, layer: GrowingLayer, adapter: str, gain: int, optimizer: Any, fresh: Any) -> None:
    """Grow one layer the way a training session does."""
    generator = torch.Generator().manual_seed(gain)
    tuner: Any = model.base_model
    any_layer: Any = layer
    if tuner.prefix == "triadaptlora_":
        data = any_layer.grown(adapter, gain, generator)
        tuner.grow_layer(layer, adapter, data, optimizer, fresh)
        any_layer.set_blocks(adapter, [*any_layer.blocks(adapter), gain], data["A"])
    else:
        used = any_layer.used(adapter)
        tuner.grow_layer(layer, adapter, any_layer.grown(adapter, gain, 1, generator), optimizer, fresh)
        any_layer.set_used(adapter, used + gain)


def layers_of(model: PeftModel) -> list[Any]:
    return list(model.base_model.layers().values())


def trained(model: PeftModel, adapter: str = "default", steps: int = 6) -> PeftModel:
    """Train, with a growth in the middle that gives every layer a rank of its own."""
    model.train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=0.02)
    fresh = FreshSteps(optimizer)
    for step in range(steps):
        if step == steps // 2:
            for index, layer in enumerate(layers_of(model)):
                if index % 4:
                    grow(model, layer, adapter, index % 4, optimizer, fresh)
        through(model).pow(2).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    # A loaded adapter has no reserve; put it out here as a session does when the budget is reached.
    for layer in layers_of(model):
        if hasattr(layer, "set_used"):
            layer.set_used(adapter, layer.used(adapter), reserve_on=False)
    return model


def ranks(model: PeftModel, adapter: str = "default") -> list[int]:
    key = "triadaptlora_A" if hasattr(layers_of(model)[0], "triadaptlora_A") else "increlora_A"
    return [getattr(layer, key)[adapter].shape[0] for layer in layers_of(model)]


def close(left: torch.Tensor, right: torch.Tensor, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(left, right, rtol=tolerance, atol=tolerance)


@every_base
@every_method
def test_wrapping_changes_no_output_and_trains_the_adapter_only(method: str, base: str) -> None:
    plain = logits(BASES[base][0]())
    model = wrapped(method, base)
    close(logits(model), plain)
    assert layers_of(model)
    prefix = f"{method}_"
    assert all(prefix in name for name, p in model.named_parameters() if p.requires_grad)


@every_base
@every_method
@pytest.mark.parametrize("low_cpu_mem_usage", [False, True], ids=["plain", "low memory"])
def test_a_saved_adapter_with_a_rank_for_each_matrix_loads_to_equal_outputs(
    method: str, base: str, low_cpu_mem_usage: bool, tmp_path: Path
) -> None:
    model = trained(wrapped(method, base))
    assert len(set(ranks(model))) > 2
    expected = logits(model)
    model.save_pretrained(str(tmp_path))
    assert not list(tmp_path.glob("*.bin"))
    loaded = PeftModel.from_pretrained(BASES[base][0](), str(tmp_path), low_cpu_mem_usage=low_cpu_mem_usage)
    assert not [name for name, p in loaded.named_parameters() if p.is_meta]
    assert not [name for name, b in loaded.named_buffers() if b.is_meta]
    assert ranks(loaded) == ranks(model)
    close(logits(loaded), expected, 1e-6)


@every_method
def test_a_loaded_adapter_can_be_saved_again_without_a_difference(method: str, tmp_path: Path) -> None:
    trained(wrapped(method, "bert")).save_pretrained(str(tmp_path / "first"))
    loaded = PeftModel.from_pretrained(bert(), str(tmp_path / "first"))
    loaded.save_pretrained(str(tmp_path / "second"))
    first, second = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("first", "second"))
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


@every_method
def test_a_loaded_adapter_can_be_trained_and_grown_further(method: str, tmp_path: Path) -> None:
    trained(wrapped(method, "bert")).save_pretrained(str(tmp_path))
    loaded = PeftModel.from_pretrained(bert(), str(tmp_path), is_trainable=True)
    before, grown = logits(loaded), ranks(loaded)
    trained(loaded)
    assert sum(ranks(loaded)) > sum(grown)
    assert not torch.allclose(logits(loaded), before)


@every_base
@every_method
def test_merging_keeps_the_outputs_and_unmerging_gives_the_base_weights_back(method: str, base: str) -> None:
    model = trained(wrapped(method, base))
    weights = [layer.get_base_layer().weight.detach().clone() for layer in layers_of(model)]
    expected = logits(model)
    model.merge_adapter()
    close(logits(model), expected)
    assert not torch.equal(layers_of(model)[0].get_base_layer().weight, weights[0])
    model.unmerge_adapter()
    close(logits(model), expected)
    for layer, weight in zip(layers_of(model), weights, strict=True):
        close(layer.get_base_layer().weight.detach(), weight, 1e-6)


@every_base
@every_method
def test_merge_and_unload_leaves_a_plain_model_with_the_same_outputs(method: str, base: str) -> None:
    model = trained(wrapped(method, base))
    expected = logits(model)
    plain = model.merge_and_unload(safe_merge=True)
    assert not any(isinstance(module, GrowingLayer) for module in plain.modules())
    close(logits(plain), expected)


@every_base
@every_method
def test_unload_gives_the_base_model_back(method: str, base: str) -> None:
    plain = logits(BASES[base][0]())
    close(logits(trained(wrapped(method, base)).unload()), plain, 1e-6)


@every_base
@every_method
def test_a_disabled_adapter_changes_nothing(method: str, base: str) -> None:
    plain = logits(BASES[base][0]())
    model = trained(wrapped(method, base))
    expected = logits(model)
    with model.disable_adapter():
        close(logits(model), plain, 1e-6)
    close(logits(model), expected, 1e-6)
    model.merge_adapter()
    with model.disable_adapter():
        close(logits(model), plain)


@every_base
@every_method
def test_two_adapters_live_side_by_side_and_one_can_be_deleted(method: str, base: str, tmp_path: Path) -> None:
    model = trained(wrapped(method, base))
    first, first_ranks = logits(model), ranks(model)
    model.add_adapter("other", config_of(method, base, init_r=2))
    close(logits(model), first, 1e-6)
    model.set_adapter("other")
    trainable = [name for name, p in model.named_parameters() if p.requires_grad]
    assert trainable and all(".other" in name for name in trainable)
    trained(model, "other")
    second = logits(model)
    assert not torch.allclose(first, second)
    model.set_adapter("default")
    close(logits(model), first, 1e-6)
    assert ranks(model) == first_ranks != ranks(model, "other")

    model.save_pretrained(str(tmp_path))
    loaded = PeftModel.from_pretrained(BASES[base][0](), str(tmp_path))
    loaded.load_adapter(str(tmp_path / "other"), adapter_name="other")
    close(logits(loaded), first, 1e-6)
    loaded.set_adapter("other")
    close(logits(loaded), second, 1e-6)

    model.delete_adapter("other")
    assert not [name for name in model.state_dict() if ".other" in name]
    assert "other" not in model.peft_config
    close(logits(model), first, 1e-6)


@every_method
def test_modules_to_save_are_trained_saved_and_loaded(method: str, tmp_path: Path) -> None:
    model = trained(wrapped(method, "bert", modules_to_save=["classifier"]))
    head: Any = model.base_model.model.classifier
    assert not torch.equal(head.original_module.weight, head.modules_to_save["default"].weight)
    expected = logits(model)
    model.save_pretrained(str(tmp_path))
    close(logits(PeftModel.from_pretrained(bert(), str(tmp_path))), expected, 1e-6)


@every_base
@every_method
def test_the_plain_lora_export_gives_the_same_outputs(method: str, base: str, tmp_path: Path) -> None:
    extra = {"modules_to_save": ["classifier"]} if base == "bert" else {}
    model = trained(wrapped(method, base, **extra))
    save_as_lora(model, tmp_path)
    loaded = PeftModel.from_pretrained(BASES[base][0](), str(tmp_path))
    assert loaded.peft_config["default"].peft_type == "LORA"
    close(logits(loaded), logits(model))


LOADER = """
import sys
sys.modules["triadapt"] = None  # as if it were not installed
import torch
from peft import PeftModel
from safetensors.torch import save_file
from transformers import BertForSequenceClassification
base, adapter, out = sys.argv[1:]
model = PeftModel.from_pretrained(BertForSequenceClassification.from_pretrained(base), adapter).eval()
with torch.no_grad():
    save_file({"logits": model(input_ids=torch.arange(24).view(3, 8) % 30).logits}, out)
"""


@every_method
def test_the_plain_lora_export_loads_where_this_package_is_not(method: str, tmp_path: Path) -> None:
    bert().save_pretrained(str(tmp_path / "base"))
    model = trained(wrapped(method, "bert", modules_to_save=["classifier"]))
    save_as_lora(model, tmp_path / "lora")
    paths = [str(tmp_path / name) for name in ("base", "lora", "outputs.safetensors")]
    subprocess.run([sys.executable, "-c", LOADER, *paths], check=True, capture_output=True, cwd=tmp_path)
    close(load_file(paths[2])["logits"], logits(model))


def test_a_model_without_a_growing_adapter_cannot_be_exported(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="adapter = 'other': the model has no growing adapter of that name"):
        save_as_lora(wrapped("triadaptlora", "bert"), tmp_path / "none", "other")
    assert not (tmp_path / "none").exists()


@every_method
def test_the_saved_configuration_reads_back(method: str, tmp_path: Path) -> None:
    model = wrapped(method, "bert", init_r=2, add_r=3, dropout=0.25)
    model.save_pretrained(str(tmp_path))
    loaded = PeftModel.from_pretrained(bert(), str(tmp_path)).peft_config["default"]
    for name in ("init_r", "add_r", "dropout", "alpha", "reference_rank", "target_modules", "peft_type"):
        assert getattr(loaded, name) == getattr(model.peft_config["default"], name), name


@every_base
@every_method
def test_a_state_dict_of_the_whole_model_loads_into_one_of_the_same_ranks(method: str, base: str) -> None:
    model = trained(wrapped(method, base))
    twin = copy.deepcopy(model)
    for parameter in twin.parameters():
        nn.init.normal_(parameter.data)
    twin.load_state_dict(model.state_dict())
    close(logits(twin), logits(model), 1e-6)


@every_method
def test_dropout_is_active_in_training_only(method: str) -> None:
    model = trained(wrapped(method, "planted", dropout=0.5))
    close(logits(model), logits(model), 0)
    model.train()
    assert not torch.equal(through(model), through(model))


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


@every_method
@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"init_r": 0}, "init_r = 0: must be at least 1"),
        ({"add_r": 0}, "add_r = 0: must be at least 1"),
        ({"reference_rank": 1, "init_r": 2}, "reference_rank = 1: must not be below init_r = 2"),
        ({"bias": "all"}, "bias = 'all': only 'none'"),
        ({"alpha": 0}, "alpha = 0: must be above 0"),
        ({"dropout": 1.0}, "dropout = 1.0: must be at least 0 and below 1"),
    ],
)
def test_a_wrong_configuration_names_field_value_and_fix(method: str, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CONFIGS[method](**{"target_modules": ["query"], **values})


@every_method
def test_a_layer_that_cannot_be_adapted_is_named(method: str) -> None:
    with pytest.raises(ValueError, match=r"word_embeddings is a Embedding; only Linear and Conv1D"):
        get_peft_model(bert(), CONFIGS[method](target_modules=["word_embeddings"]))
