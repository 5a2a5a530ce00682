"""How each registered method is configured, trained and looked into, so that one suite holds them all to the same."""

from __future__ import annotations

import copy
import functools
import json
import re
from collections.abc import Callable
from typing import Any

import contract_adamss
import contract_loha
import contract_qlora
import contract_vera
import pytest
import torch
from bases import BASES, Base, through
from contract import STEPS, Contract, Parts, everything
from contract_surm import CONTRACT as SURM
from contract_tiedlora import TIEDLORA
from peft import AdaLoraConfig, LoraConfig, PeftModel, get_peft_model

from triadapt import IncreLoraConfig, TriAdaptLoraConfig
from triadapt.growth.optimizer_state import FreshSteps
from triadapt.methods.registry import METHODS
from triadapt.methods.tuner_layer import GrowingLayer

# False alarms of PEFT 0.21 about what is right.
peft_warnings = [
    # It asks transformers 5 for an attribute by its old name.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
    # AdaLoRA's pattern is keyed by parameters; the check that LoRA's keys name layers runs over it too.
    pytest.mark.filterwarnings("ignore:The following rank_pattern keys did not match .*lora_E:RuntimeWarning"),
    # AdaLoRA may prune a matrix to rank 0; a tensor without rows is taken for one that DeepSpeed holds.
    pytest.mark.filterwarnings(r"ignore:Adapter .* LoRA tensor\(s\) have invalid shape.*\(0, \d+\)"),
]


def triadapt_parts(layer: Any, adapter: str) -> Parts:
    parts = everything(layer, adapter, {part: f"triadaptlora_{part}" for part in "ABLU"})
    mask = layer.triadaptlora_mask[adapter].bool()
    return parts | {"L": (parts["L"][0], mask), "U": (parts["U"][0], mask.T)}


def increlora_parts(layer: Any, adapter: str) -> Parts:
    """A reserve triplet's A and B train, its E does not."""
    whole = everything(layer, adapter, {part: f"increlora_{part}" for part in "ABE"})
    used, parts = layer.used(adapter), {}
    for name, (parameter, mask) in whole.items():
        in_use = mask.clone()
        (in_use[:, used:] if name == "B" else in_use[used:]).fill_(False)
        parts[name] = (parameter, in_use)
        if name != "E" and not bool(in_use.all()):
            parts[f"reserve {name}"] = (parameter, ~in_use)
    return parts


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


def grow_in_the_middle(model: PeftModel, adapter: str, step: int, optimizer: Any, fresh: Any) -> None:
    """A growth that gives every layer a rank of its own."""
    if step == STEPS // 2 - 1:
        for index, layer in enumerate(layers_of(model)):
            if index % 4:
                grow(model, layer, adapter, index % 4, optimizer, fresh)
    if step == STEPS - 1:
        # A loaded adapter has no reserve; put it out here as a session does when the budget is reached.
        for layer in layers_of(model):
            if hasattr(layer, "set_used"):
                layer.set_used(adapter, layer.used(adapter), reserve_on=False)


def prune(model: PeftModel, adapter: str, step: int, optimizer: Any, fresh: Any) -> None:
    tuner: Any = model.base_model
    tuner.update_and_allocate(step)


def growing(config_class: Any) -> Callable[..., Any]:
    def config(base: Base, **values: Any) -> Any:
        return config_class(**{"target_modules": list(base.targets), "reference_rank": 4, "alpha": 8.0, **values})

    return config


def lora(base: Base, **values: Any) -> Any:
    """Ranks 1 to 4 in turn: LoRA's own way to one rank a matrix."""
    pattern = {f"^{re.escape(name)}": 1 + index % 4 for index, name in enumerate(base.target_names())}
    shared = {"target_modules": list(base.targets), "fan_in_fan_out": base.fan_in_fan_out}
    return LoraConfig(**{**shared, "r": 4, "rank_pattern": pattern, **values})


def adalora(base: Base, **values: Any) -> Any:
    """Masks triplets at steps 2, 3 and, for good, 4 of the 6 that `trained` takes."""
    own = {"init_r": 4, "target_r": 2, "tinit": 1, "tfinal": 2, "deltaT": 1, "total_step": STEPS, "lora_alpha": 8}
    shared = {"target_modules": list(base.targets), "fan_in_fan_out": base.fan_in_fan_out}
    return AdaLoraConfig(**{**shared, **own, **values})


NO_4_BIT_MERGE = "PEFT: AdaLoRA's SVDLinear4bit has no merge (NotImplementedError)"

CONTRACTS: dict[str, Contract] = {
    "triadaptlora": Contract(
        config=growing(TriAdaptLoraConfig),
        prefix="triadaptlora_",
        parts=triadapt_parts,
        first=frozenset({"B"}),
        last="B",
        rank=lambda layer, adapter: layer.triadaptlora_A[adapter].shape[0],
        dropout="dropout",
        other={"init_r": 2},
        after_step=grow_in_the_middle,
        ours=True,
        grows=True,
        uneven=True,
    ),
    "increlora": Contract(
        config=growing(IncreLoraConfig),
        prefix="increlora_",
        parts=increlora_parts,
        first=frozenset({"E", "reserve A", "reserve B"}),
        last="B",
        rank=lambda layer, adapter: layer.used(adapter),
        dropout="dropout",
        other={"init_r": 2},
        after_step=grow_in_the_middle,
        ours=True,
        grows=True,
        uneven=True,
    ),
    "adalora": Contract(
        config=adalora,
        prefix="lora_",
        parts=lambda layer, adapter: everything(layer, adapter, {part: f"lora_{part}" for part in "ABE"}),
        first=frozenset({"E"}),
        last="B",
        # Masked triplets stay in memory until the adapter is saved; after the last mask their E is exactly 0.
        rank=lambda layer, adapter: int((layer.lora_E[adapter] != 0).sum()),
        dropout="lora_dropout",
        other={"init_r": 6},
        after_step=prune,
        uneven=True,
        limits={
            "test_an_adapter_for_inference_over_bfloat16_trains_nothing": "PEFT: what it casts it also trains",
            "low_cpu_mem_usage": "PEFT: AdaLoRA's rank_pattern cannot be applied to an adapter loaded with "
            "low_cpu_mem_usage",
            "test_two_adapters_live_side_by_side_and_one_can_be_deleted": "PEFT: AdaLoraModel supports only 1 "
            "trainable adapter",
            "test_merging_into_four_bits_rounds_each_weight_to_the_nearest_level": NO_4_BIT_MERGE,
            "test_merge_and_unload_leaves_a_four_bit_model": NO_4_BIT_MERGE,
        },
    ),
    "lora": Contract(
        config=lora,
        prefix="lora_",
        parts=lambda layer, adapter: everything(layer, adapter, {part: f"lora_{part}" for part in "AB"}),
        first=frozenset({"B"}),
        last="B",
        rank=lambda layer, adapter: layer.lora_A[adapter].weight.shape[0],
        dropout="lora_dropout",
        other={"r": 5, "rank_pattern": {}},
        uneven=True,
    ),
    "surm": SURM,
    "tiedlora": TIEDLORA,
    "vera": contract_vera.CONTRACT,
    "loha": contract_loha.CONTRACT,
    "adamss": contract_adamss.CONTRACT,
}
CONTRACTS["qlora"] = contract_qlora.contract_over(CONTRACTS["lora"])


def _that(*are: str) -> list[str]:
    return [name for name in METHODS if name in CONTRACTS and all(getattr(CONTRACTS[name], field) for field in are)]


# The registry is the list: a method without a contract fails, by name, in every test.
in_full = [name for name in METHODS if name not in CONTRACTS or CONTRACTS[name].quantize is None]
every_method = pytest.mark.parametrize("method", in_full)
every_four_bit_method = pytest.mark.parametrize("method", METHODS)
OURS = _that("ours")
every_method_of_ours = pytest.mark.parametrize("method", OURS)
every_growing_method = pytest.mark.parametrize("method", _that("ours", "grows"))


def contract_of(method: str) -> Contract:
    if method not in CONTRACTS:
        pytest.fail(f"method {method!r} is registered but has no entry in CONTRACTS of tests/contract/methods.py")
    return CONTRACTS[method]


def contract_of_adapter(model: PeftModel, adapter: str = "default") -> Contract:
    """The contract of whichever tuner an adapter is of."""
    return contract_of(model.peft_config[adapter].peft_type.value.lower())


def config_of(method: str, base: str, **values: Any) -> Any:
    return contract_of(method).config(BASES[base], **values)


def wrapped(method: str, base: str, **values: Any) -> PeftModel:
    """A fresh base with an untrained adapter; the adapter's random values are the same every time."""
    model, config = BASES[base].build(), config_of(method, base, **values)
    torch.manual_seed(1)
    model = get_peft_model(model, config)
    assert isinstance(model, PeftModel)
    return model


def parts_of(model: PeftModel, adapter: str = "default") -> list[Parts]:
    """The parts of every adapted layer, in the model's order."""
    contract = contract_of_adapter(model, adapter)
    return [contract.parts(layer, adapter) for layer in layers_of(model)]


def layers_of(model: PeftModel) -> list[Any]:
    """The adapted layers, in the model's order."""
    tuner: Any = model.base_model
    kind = tuner.tuner_layer_cls
    return [module for module in tuner.model.modules() if isinstance(module, kind)]


def ranks(model: PeftModel, adapter: str = "default") -> list[int]:
    contract = contract_of_adapter(model, adapter)
    return [contract.rank(layer, adapter) for layer in layers_of(model)]


def optimized(model: PeftModel, steps: int) -> PeftModel:
    """Some plain steps of the optimizer, ranks as they are; the gradients of the step after them are left in place."""
    model.train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.02, weight_decay=0)
    for _ in range(steps):
        through(model).pow(2).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    through(model).pow(2).mean().backward()
    return model


def trained(model: PeftModel, adapter: str = "default", steps: int = STEPS) -> PeftModel:
    """Train, with the method's own changes of rank, which give every matrix a rank of its own if the method can."""
    contract = contract_of_adapter(model, adapter)
    model.train()
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=0.02)
    fresh = FreshSteps(optimizer)
    for step in range(steps):
        through(model).pow(2).mean().backward()
        optimizer.step()
        contract.after_step(model, adapter, step, optimizer, fresh)
        optimizer.zero_grad()
    return model


@functools.cache
def _trained(method: str, base: str, values: str) -> PeftModel:
    return trained(wrapped(method, base, **json.loads(values)))


def trained_on(method: str, base: str, **values: Any) -> PeftModel:
    """A copy of the method's adapter after `trained`, trained once for all tests; `values` are of its configuration."""
    return copy.deepcopy(_trained(method, base, json.dumps(values)))
