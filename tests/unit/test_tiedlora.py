"""Tied-LoRA in all of its configurations: what is 0, trained, shared, counted and saved."""

from __future__ import annotations

import copy
import json
import re
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import (
    PeftModel,
    get_peft_model,
    get_peft_model_state_dict,
    inject_adapter_in_model,
    set_peft_model_state_dict,
)
from safetensors.torch import load_file
from tiny_runs import SIZE, advance, finish, opened, outputs, tiny
from torch import nn
from transformers import BertConfig, BertModel, DebertaV2Config, DebertaV2Model

from triadapt import TiedLoraConfig
from triadapt.config import parse_config
from triadapt.growth.preview import preview
from triadapt.methods.registry import METHODS
from triadapt.methods.tiedlora.counting import check_trains, trained_entries, zero_at_start
from triadapt.methods.tiedlora.layer import PARTS, TiedLinear
from triadapt.methods.tiedlora.settings import Settings, Trains
from triadapt.tasks.planted.network import Network, initialise

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
ALL: tuple[str, ...] = typing.get_args(Trains)
every_configuration = pytest.mark.parametrize("trains", ALL)
SIX = ["q", "k", "v", "o", "up", "down"]
Shapes = Sequence[tuple[int, int]]


def base() -> Network:
    network = Network(2, 16, 2)
    initialise(network, torch.Generator().manual_seed(0))
    return network


def adapted(trains: str = "vBuA", model: nn.Module | None = None, seed: int = 1, **values: Any) -> PeftModel:
    config = TiedLoraConfig(**{"target_modules": SIX, "r": 3, "alpha": 6.0, "trains": trains, **values})
    torch.manual_seed(seed)
    found = get_peft_model(base() if model is None else model, config)
    assert isinstance(found, PeftModel)
    return found


def layers(model: nn.Module) -> list[Any]:
    return [module for module in model.modules() if isinstance(module, TiedLinear)]


def letters(layer: Any, adapter: str = "default") -> dict[str, torch.Tensor]:
    return {letter: getattr(layer, name)[adapter].weight for letter, name in PARTS.items()}


def x() -> torch.Tensor:
    return torch.randn(3, 4, 16, generator=torch.Generator().manual_seed(1))


def given(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model.eval()(x().to(next(model.parameters()).dtype)).clone()
    return found


def trained(model: PeftModel, steps: int = 4) -> PeftModel:
    model.train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.02, weight_decay=0.0)
    for _ in range(steps):
        optimizer.zero_grad()
        model(x()).square().mul(torch.arange(16)).mean().backward()
        optimizer.step()
    return model


def is_tied(model: nn.Module, adapter: str = "default") -> bool:
    """Whether the layers of a shape hold one B and one A, in one place of the memory, and no other layer does."""
    held: dict[tuple[int, int], set[int]] = {}
    places: dict[int, set[int]] = {}
    for layer in layers(model):
        if adapter not in layer.scaling:
            continue
        parts = letters(layer, adapter)
        held.setdefault((layer.out_features, layer.in_features), set()).update((id(parts["A"]), id(parts["B"])))
        for letter in "AB":
            places.setdefault(id(parts[letter]), set()).add(parts[letter].data_ptr())
    assert held
    pairs = list(held.values())
    return all(len(pair) == 2 for pair in pairs) and len(set.union(*pairs)) == 2 * len(pairs) == len(
        set.union(*places.values())
    )


def by_formula(trains: str, r: int, shapes: Shapes) -> int:
    found = 0
    for out, inner in set(shapes):
        found += r * inner if "A" in trains else 0
        found += out * r if "B" in trains else 0
    for out, _ in shapes:
        found += out if "v" in trains else 0
        found += r if "u" in trains else 0
    return found


def shapes_of(model: nn.Module) -> list[tuple[int, int]]:
    return [(layer.out_features, layer.in_features) for layer in layers(model)]


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def test_there_are_15_configurations() -> None:
    assert len(set(ALL)) == 15
    for trains in ALL:
        check_trains(trains)
        assert TiedLoraConfig(trains=trains).trains == trains


@pytest.mark.parametrize(
    ("trains", "end"),
    [
        ("", "in this order; name at least one"),
        ("uv", "in this order; write vu"),
        ("BB", "in this order; write B"),
        ("vbua", "in this order; there is no a, b; write vu"),
        ("x", "in this order; there is no x; name at least one"),
    ],
)
def test_other_letters_and_orders_are_refused_in_one_line(trains: str, end: str) -> None:
    with pytest.raises(ValueError) as caught:
        TiedLoraConfig(trains=trains)
    assert str(caught.value) == f"trains = {trains!r}: must be some of the letters v, B, u, A, each once and {end}"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"r": 0}, "r = 0: must be at least 1"),
        ({"projection_seed": -1}, "projection_seed = -1: must be at least 0 and below 2^63"),
        ({"alpha": 0}, "alpha = 0: must be above 0"),
    ],
)
def test_a_wrong_configuration_names_field_value_and_fix(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        TiedLoraConfig(**values)


@every_configuration
def test_dw_is_0_at_the_start_and_the_first_gradient_reaches_what_is(trains: str) -> None:
    model = adapted(trains)
    torch.testing.assert_close(given(model), given(base()), rtol=0, atol=0)
    model.train()
    model(x()).square().mul(torch.arange(16)).mean().backward()
    for layer in layers(model):
        assert not layer.get_delta_weight("default").any()
        reached = {letter for letter, p in letters(layer).items() if p.grad is not None and p.grad.any()}
        assert reached == {zero_at_start(trains)}


@every_configuration
def test_only_the_named_letters_are_trained_and_counted_and_each_moves(trains: str) -> None:
    model = adapted(trains)
    before = [{letter: p.detach().clone() for letter, p in letters(layer).items()} for layer in layers(model)]
    plain = [p.detach().clone() for p in base().parameters()]
    trained(model)
    for layer, old in zip(layers(model), before, strict=True):
        parts = letters(layer)
        assert {letter for letter, p in parts.items() if p.requires_grad} == set(trains)
        assert {letter for letter, p in parts.items() if not torch.equal(p, old[letter])} == set(trains)
        assert layer.get_delta_weight("default").any()
    frozen = [p for name, p in model.named_parameters() if ".base_layer." in name]
    assert all(torch.equal(left, right) for left, right in zip(plain, frozen, strict=True))
    assert count(model) == by_formula(trains, 3, shapes_of(model)) == trained_entries(trains, 3, shapes_of(model))
    assert not torch.allclose(given(model), given(base()))


@every_configuration
def test_a_saved_adapter_holds_each_pair_once_and_loads_without_a_seed(trains: str, tmp_path: Path) -> None:
    model = trained(adapted(trains))
    model.save_pretrained(str(tmp_path))
    saved = load_file(tmp_path / "adapter_model.safetensors")
    shapes = shapes_of(model)
    # All letters are there, the frozen ones too.
    assert sum(tensor.numel() for tensor in saved.values()) == by_formula("vBuA", 3, shapes)
    assert len(saved) == 2 * len(set(shapes)) + 2 * len(shapes)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["trains"] == trains
    (tmp_path / "adapter_config.json").write_text(json.dumps(config | {"projection_seed": 99}))
    for low in (False, True):
        torch.manual_seed(7)
        loaded = PeftModel.from_pretrained(base(), str(tmp_path), low_cpu_mem_usage=low)
        assert is_tied(loaded) and not [p for p in loaded.parameters() if p.is_meta]
        torch.testing.assert_close(given(loaded), given(model), rtol=1e-6, atol=1e-6)
        assert not count(loaded)
    again = PeftModel.from_pretrained(base(), str(tmp_path), is_trainable=True)
    assert count(again) == by_formula(trains, 3, shapes)
    before = given(again)
    assert is_tied(trained(again, 1)) and not torch.allclose(given(again), before)
    again.save_pretrained(str(tmp_path / "again"))
    assert load_file(tmp_path / "again" / "adapter_model.safetensors").keys() == saved.keys()


def test_what_is_saved_of_a_half_precision_copy_is_the_pair_once() -> None:
    model = trained(adapted()).half()
    assert is_tied(model)
    assert len(get_peft_model_state_dict(model)) == 2 * 3 + 2 * 12


def test_shared_factors_stay_shared_through_copies_moves_and_casts() -> None:
    model = trained(adapted())
    assert is_tied(model)
    twin = copy.deepcopy(model)
    assert is_tied(twin)
    torch.testing.assert_close(given(trained(twin, 2)), given(trained(model, 2)), rtol=0, atol=0)
    assert is_tied(model.double()) and is_tied(model.to(torch.bfloat16)) and is_tied(model.float().to("cpu"))
    model.load_state_dict(twin.state_dict())
    assert is_tied(model)
    model.load_state_dict(twin.state_dict(), assign=True)
    assert is_tied(model)
    torch.testing.assert_close(given(model), given(twin), rtol=0, atol=0)
    assert is_tied(copy.deepcopy(model).to("meta").to_empty(device="cpu"))


@every_configuration
def test_an_adapter_over_bfloat16_is_tied_in_float32_and_what_is_frozen_stays_frozen(
    trains: str, tmp_path: Path
) -> None:
    model = adapted(trains, base().to(torch.bfloat16))
    assert is_tied(model)
    assert {p.dtype for layer in layers(model) for p in letters(layer).values()} == {torch.float32}
    assert count(model) == by_formula(trains, 3, shapes_of(model))
    model.save_pretrained(str(tmp_path))
    for low in (False, True):
        loaded = PeftModel.from_pretrained(base().to(torch.bfloat16), str(tmp_path), low_cpu_mem_usage=low)
        assert is_tied(loaded) and not count(loaded)
        assert {p.dtype for layer in layers(loaded) for p in letters(layer).values()} == {torch.float32}
        torch.testing.assert_close(given(loaded), given(model), rtol=0, atol=0)


def test_the_optimizer_holds_a_shared_factor_once() -> None:
    model = adapted()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])
    assert len(optimizer.param_groups[0]["params"]) == 2 * 3 + 2 * 12
    shared = letters(layers(model)[0])["B"]
    model(x()).square().mean().backward()
    alone = torch.zeros_like(shared)
    for layer in layers(model):
        if letters(layer)["B"] is shared:
            single = copy.deepcopy(model)
            mine = layers(single)[layers(model).index(layer)]
            mine.tiedlora_B["default"] = copy.deepcopy(mine.tiedlora_B["default"])
            letters(mine)["B"].grad = None
            single(x()).square().mean().backward()
            gradient = letters(mine)["B"].grad
            assert gradient is not None
            alone += gradient
    torch.testing.assert_close(shared.grad, alone, rtol=1e-4, atol=1e-6)


def test_two_adapters_share_nothing_with_each_other() -> None:
    model = trained(adapted())
    first, file = given(model), {key: value.clone() for key, value in get_peft_model_state_dict(model).items()}
    other = TiedLoraConfig(target_modules=["o", "up"], r=2, alpha=4.0, trains="vu")
    model.add_adapter("other", other)
    assert is_tied(model) and is_tied(model, "other")
    torch.testing.assert_close(given(model), first, rtol=0, atol=0)
    model.set_adapter("other")
    assert count(model) == by_formula("vu", 2, [(16, 16), (32, 16)] * 2)
    torch.testing.assert_close(given(model), given(base()), rtol=0, atol=0)
    trained(model)
    second = given(model)
    assert not torch.allclose(second, first)
    of_other = get_peft_model_state_dict(model, adapter_name="other")
    assert len(of_other) == 2 * 2 + 2 * 4
    assert any(".0.o.tiedlora_A" in key for key in of_other) and not any(".q." in key for key in of_other)
    model.set_adapter("default")
    assert count(model) == by_formula("vBuA", 3, shapes_of(model))
    after = get_peft_model_state_dict(model)
    assert after.keys() == file.keys() and all(torch.equal(after[key], file[key]) for key in file)
    model.delete_adapter("other")
    assert not [name for name in model.state_dict() if ".other" in name]
    torch.testing.assert_close(given(model), first, rtol=0, atol=0)


def test_frozen_letters_stay_frozen_when_adapters_are_switched() -> None:
    model = adapted("vu")
    expected = count(model)
    with model.disable_adapter():
        torch.testing.assert_close(given(model), given(base()), rtol=0, atol=0)
    assert count(model) == expected
    model.set_adapter("default")
    assert count(model) == expected
    model.set_requires_grad("default", False)
    assert count(model) == 0
    model.set_requires_grad("default", True)
    assert count(model) == expected


def test_frozen_matrices_are_the_same_wherever_they_are_drawn() -> None:
    many, few = adapted("vu", seed=1), adapted("v", seed=2, target_modules=["down", "o"])
    of_many = {shape: letters(layer) for shape, layer in zip(shapes_of(many), layers(many), strict=True)}
    for shape, layer in zip(shapes_of(few), layers(few), strict=True):
        for letter in "AB":
            assert torch.equal(letters(layer)[letter], of_many[shape][letter])
    assert torch.equal(letters(layers(adapted("vB"))[0])["A"], letters(layers(many)[0])["A"])
    assert torch.equal(letters(layers(adapted("vA"))[0])["B"], letters(layers(many)[0])["B"])
    other = adapted("vu", projection_seed=1)
    assert not torch.equal(letters(layers(other)[0])["A"], letters(layers(many)[0])["A"])
    A, B = (letters(layers(many)[0])[letter] for letter in "AB")
    assert 0.2 < float(A.abs().max()) <= 16**-0.5 and 0.5 < float(B.abs().max()) <= 3**-0.5
    # What is trained follows the global state, as LoRA's does.
    assert not torch.equal(letters(layers(adapted(seed=1))[0])["A"], letters(layers(adapted(seed=2))[0])["A"])


def test_layers_injected_without_a_peft_model_are_tied_and_load_what_one_saved() -> None:
    model = trained(adapted())
    plain = inject_adapter_in_model(TiedLoraConfig(target_modules=SIX, r=3, alpha=6.0), base())
    assert is_tied(plain)
    found: Any = set_peft_model_state_dict(plain, get_peft_model_state_dict(model))
    assert not found.unexpected_keys
    assert not [key for key in found.missing_keys if "tiedlora" in key]
    torch.testing.assert_close(given(plain), given(model), rtol=1e-6, atol=1e-6)


@every_configuration
def test_the_fused_and_the_plain_forward_pass_agree_with_the_dense_update(
    trains: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = trained(adapted(trains)).double()

    def gradients() -> list[torch.Tensor]:
        model.zero_grad()
        model.train()(x().double()).square().mean().backward()
        return [p.grad.clone() for p in model.parameters() if p.grad is not None]

    fused, of_fused = given(model), gradients()
    monkeypatch.setattr(TiedLinear, "in_one", lambda self, x, adapter: None)
    torch.testing.assert_close(given(model), fused, rtol=1e-9, atol=1e-12)
    for left, right in zip(gradients(), of_fused, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-8, atol=1e-12)
    for layer in layers(model):
        v, B, u, A = layer.factors("default")
        dense = 2.0 * torch.diag(v) @ B @ torch.diag(u) @ A
        torch.testing.assert_close(layer.get_delta_weight("default"), dense)
        exported_A, exported_B = layer.lora_factors("default")
        torch.testing.assert_close(exported_B @ exported_A, dense)


# Sizes of real models, on the meta device: nothing is drawn in their memory.


def bert_base() -> Any:
    return BertModel(BertConfig())


def deberta_v3_base() -> Any:
    return DebertaV2Model(
        DebertaV2Config(
            vocab_size=128100, hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072,
            relative_attention=True, pos_att_type=["p2c", "c2p"], position_buckets=256, share_att_key=True,
            norm_rel_ebd="layer_norm", type_vocab_size=0,
        )
    )  # fmt: skip


SIX_LINEARS = [(768, 768), (768, 768), (768, 768), (768, 768), (3072, 768), (768, 3072)] * 12


@pytest.mark.parametrize(
    ("build", "targets"),
    [
        (bert_base, ["query", "key", "value", "output.dense", "intermediate.dense"]),
        (deberta_v3_base, ["query_proj", "key_proj", "value_proj", "output.dense", "intermediate.dense"]),
    ],
)
def test_parameters_of_the_base_models_equal_the_formula(build: Any, targets: list[str]) -> None:
    for trains in ("vBuA", "vu", "BA"):
        with torch.device("meta"):
            whole = build()
        model = get_peft_model(whole, TiedLoraConfig(target_modules=targets, r=8, trains=trains))
        assert sorted(shapes_of(model)) == sorted(SIX_LINEARS)
        assert count(model) == by_formula(trains, 8, SIX_LINEARS)


def test_what_the_sizes_are_in_numbers() -> None:
    lora = {r: r * sum(out + inner for out, inner in SIX_LINEARS) for r in (2, 4, 7, 8, 16, 32)}
    assert lora[8] == 1_327_104
    found = {r: trained_entries("vBuA", r, SIX_LINEARS) for r in lora}
    assert found == {r: 9_288 * r + 82_944 for r in lora}
    assert found[8] == 157_248
    assert trained_entries("vu", 8, SIX_LINEARS) == 83_520
    assert trained_entries("BA", 8, SIX_LINEARS) == 73_728
    assert {r: round(100 * found[r] / lora[r], 1) for r in lora} == {
        2: 30.6, 4: 18.1, 7: 12.7, 8: 11.8, 16: 8.7, 32: 7.2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("width", "blocks", "shares"),
    [(4096, 32, {2: 40.6, 8: 12.5, 32: 5.5, 128: 3.7}), (2048, 24, {2: 41.7, 8: 13.6, 32: 6.5, 128: 4.8})],
    ids=["LLaMA 2 7B", "24 blocks of width 2048"],
)
def test_an_eighth_of_lora_is_rank_8_over_the_fused_query_key_and_value(
    width: int, blocks: int, shares: dict[int, float]
) -> None:
    """The paper adapts one matrix `(3 d, d)` a block. The share is `1 / L + (r + 3 d) / (4 d r)`, near `3 / (4 r)`."""
    fused = [(3 * width, width)] * blocks
    for r, share in shares.items():
        ratio = trained_entries("vBuA", r, fused) / (r * sum(out + inner for out, inner in fused))
        assert ratio == pytest.approx(1 / blocks + (r + 3 * width) / (4 * width * r))
        assert round(100 * ratio, 1) == share


# In a run


@every_configuration
def test_a_run_counts_what_its_settings_say(trains: str) -> None:
    session = opened(tiny("tiedlora", tiedlora={"trains": trains, "rank": 5}))
    run: Any = session.method
    shapes = [matrix.shape for matrix in session.matrices]
    settings = session.config.method_settings
    assert isinstance(settings, Settings)
    assert run.parameter_count() == settings.parameters(session.config, shapes) == by_formula(trains, 5, shapes)
    assert run.parameter_count() == sum(p.numel() for p in session.trainable.values())
    assert run.ranks().tolist() == [5] * 6


def test_a_run_has_the_scale_of_the_others_whatever_the_rank() -> None:
    for rank in (0, 1, 12):
        session = opened(tiny("tiedlora", alpha=6.0, tiedlora={"rank": rank}))
        run: Any = session.method
        assert [layer.scaling["default"] for layer in run.layers] == pytest.approx([2.0] * 6)
        assert run.ranks().tolist() == [rank or 3] * 6
        seen = preview(session.config, 6)
        assert seen.start == seen.target == (rank or 3) * 6 and not seen.warnings
        advance(session, 3)
        for index, layer in enumerate(run.layers):
            B, core, A, shown = run.factors(index)
            assert core is None and not len(shown)
            torch.testing.assert_close(B @ A, layer.get_delta_weight("default"), rtol=1e-5, atol=1e-7)


def test_a_run_says_which_matrices_share() -> None:
    session = opened(tiny("tiedlora", planted=SIZE | {"blocks": 2}))
    names = [matrix.name.rpartition(".")[2] for matrix in session.matrices]
    groups = session.method.shared()
    assert sorted(sorted({names[i] for i in group}) for group in groups) == [["down"], ["k", "o", "q", "v"], ["up"]]
    assert sorted(index for group in groups for index in group) == list(range(12))
    assert [len(group) for group in opened(tiny("tiedlora")).method.shared()] == [4]


@pytest.mark.parametrize("trains", ["vBuA", "vu", "A"])
def test_a_stopped_run_resumes_to_the_same_end(trains: str, tmp_path: Path) -> None:
    values: dict[str, Any] = {"tiedlora": {"trains": trains, "lr_scale": 5.0}}
    whole = opened(tiny("tiedlora", **values))
    finish(whole)
    first = opened(tiny("tiedlora", **values), tmp_path)
    advance(first, 17)
    first.stop("for a while")
    torch.manual_seed(123)
    second = type(first)(first.config, folder=tmp_path)
    second.open(resume=True)
    finish(second)
    torch.testing.assert_close(outputs(second), outputs(whole), rtol=0, atol=0)


def test_a_run_can_be_read_off_its_adapter() -> None:
    config = tiny("tiedlora", alpha=6.0, seed=4, tiedlora={"trains": "vB", "rank": 6})
    session = opened(config)
    run: Any = session.method
    peft_config = run.model.peft_config["default"]
    assert (peft_config.r, peft_config.alpha, peft_config.projection_seed) == (6, 12.0, 4)
    values = type(run).values_of(peft_config)
    assert values == {"reference_rank": 6, "alpha": 12.0, "tiedlora": {"trains": "vB"}}
    read = parse_config({"method": "tiedlora", **values})
    assert read.alpha / read.reference_rank == config.alpha / config.reference_rank


def test_a_larger_learning_rate_is_the_adapters() -> None:
    slow = opened(tiny("tiedlora", tiedlora={"trains": "vu"}))
    fast = opened(tiny("tiedlora", tiedlora={"trains": "vu", "lr_scale": 10}))
    advance(slow, 1)
    advance(fast, 1)
    for name, parameter in slow.trainable.items():
        if "v_vector" in name:  # starts at 0, and Adam's first step is the learning rate
            np.testing.assert_allclose(
                fast.trainable[name].detach().numpy(), 10 * parameter.detach().numpy(), rtol=1e-3, atol=1e-9
            )


def test_the_card_stands_in_the_registry() -> None:
    card = METHODS["tiedlora"].method_card()
    assert "diag(v) B diag(u) A" in card.formula and card.source.endswith("2311.09578")
