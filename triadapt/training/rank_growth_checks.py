"""What has to hold before rank grows in a training that is not ours; each failure is one line with its fix."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from peft import PeftModel
from torch.nn.parallel import DistributedDataParallel

from triadapt.config import AllocationConfig, ConfigError, parse_allocation
from triadapt.growth.preview import preview
from triadapt.methods.registry import METHODS, MethodSpec

# What a resume must not change.
COMPARED = {"method", "steps", "warmup", "interval", "growth", "top_h", "reference_rank", "add_r", "seed"}
MARK = "_triadapt_rank_growth"
OWN_NAMES = {"warmup": "tinit", "interval": "deltaT"}


def adaptive_adapter(model: Any) -> tuple[MethodSpec, str]:
    """The method and name of the active adapter. Raises ValueError when it is none whose rank changes."""
    known = ", ".join(spec.label for spec in METHODS.values() if spec.replayed)
    if not isinstance(model, PeftModel):
        raise ValueError(f"model: a {type(model).__name__}, not a PEFT model; wrap it with get_peft_model ({known})")
    active = model.active_adapters
    if len(active) != 1:
        raise ValueError(f"model: {len(active)} adapters are active ({', '.join(active)}); set one with set_adapter")
    kind = model.peft_config[active[0]].peft_type
    name = str(getattr(kind, "value", kind)).lower()
    spec = METHODS.get(name)
    if spec is not None and spec.allocation == "freezes":
        raise ValueError(
            f"peft_type = {name.upper()}: only a run of triadapt's own (`triadapt train`) freezes parts of "
            f"{spec.label}; here the methods are {known}"
        )
    if spec is None or not spec.replayed:
        raise ValueError(f"peft_type = {name.upper()}: its rank never changes; adaptive methods are {known}")
    return spec, active[0]


def configuration(
    spec: MethodSpec, values: Mapping[str, Any], of_peft: Mapping[str, Any], settings: Mapping[str, Any]
) -> AllocationConfig:
    """The configuration of an allocation from the caller's `values`, what PEFT's configuration says, and the method's
    own settings. Raises ConfigError."""
    lines = []
    if values["steps"] < 1:
        lines.append(f"total_step = {values['steps']}: must be at least 1")
    for name in ("warmup", "interval"):
        if name in of_peft and values[name] is not None:
            lines.append(f"{name} = {values[name]}: {spec.label} takes it from {OWN_NAMES[name]}; leave it out here")
        elif name not in of_peft and values[name] is None:
            lines.append(f"{name}: missing; give it in optimizer steps")
    planned = of_peft.get("steps", values["steps"])
    if planned != values["steps"]:
        lines.append(
            f"total_step = {planned}: {spec.label}'s configuration plans for that many, but training has "
            f"{values['steps']} optimizer steps; make them equal"
        )
    if lines:
        raise ConfigError(lines)
    chosen = {name: value for name, value in values.items() if value is not None}
    return parse_allocation({**chosen, **of_peft, spec.name: {**of_peft.get(spec.name, {}), **settings}})


def check_schedule(config: AllocationConfig, matrices: int, total_rank: int) -> None:
    """Raises ConfigError for a schedule that would change no rank, which is shown as a warning where one plays and is a
    mistake where a model of one's own is at stake. Warns of one that misses the budget."""
    plan = preview(config, matrices, total_rank)
    if METHODS[config.method].allocation == "grows" and plan.target <= total_rank:
        raise ConfigError(
            [
                f"reference_rank = {config.reference_rank}: the budget of {plan.target} ranks is not above the "
                f"{total_rank} the adapter starts with, so nothing can grow; raise it or lower init_r"
            ]
        )
    if plan.warnings and not plan.rows:
        raise ConfigError(plan.warnings)
    for line in plan.warnings:
        warnings.warn(line, stacklevel=3)


def warn_of_a_fresh_start(config: Any, ranks: NDArray[np.uint16]) -> None:
    """Warns when a grown adapter comes without the state of its growth."""
    start = getattr(config, "init_r", 0) * len(ranks)
    if METHODS[str(config.peft_type.value).lower()].allocation == "grows" and int(ranks.sum()) > start:
        warnings.warn(
            f"the adapter has total rank {int(ranks.sum())} where it began with {start}, but the optimizer's state "
            f"says nothing of its growth: the schedule starts at step 0 again; to resume, load the optimizer's state "
            f"first",
            stacklevel=3,
        )


def check_parameters(layers: Mapping[str, Any], optimizer: torch.optim.Optimizer, adapter: str) -> None:
    """Raises ValueError for a part of the adapter that is frozen or that the optimizer does not hold, and for parts on
    several devices."""
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    devices = sorted({str(p.device) for layer in layers.values() for _, p in adapter_parameters(layer, adapter)})
    if len(devices) > 1:
        raise ValueError(f"device_map: the adapter lies on {' and '.join(devices)}; put the model on one device")
    for path, layer in layers.items():
        for name, parameter in adapter_parameters(layer, adapter):
            if not parameter.requires_grad:
                raise ValueError(
                    f"{path}.{name} is frozen: wrap the model with inference_mode=False, load the adapter with "
                    f"is_trainable=True, or give it requires_grad_(True)"
                )
            if id(parameter) not in held:
                raise ValueError(
                    f"optimizer: it does not hold {path}.{name}; make it after the model is wrapped, over every "
                    f"parameter that requires a gradient"
                )


def layers_with_gradient(layers: Mapping[str, Any], adapter: str) -> set[str]:
    """Names of the layers of which every part has a gradient; a regulariser may reach some parts of the others."""
    return {
        name
        for name, layer in layers.items()
        if all(parameter.grad is not None for _, parameter in adapter_parameters(layer, adapter))
    }


def refuse_without_gradient(name: str) -> None:
    """Raises ValueError for a layer that had no gradient in any step up to the first event."""
    raise ValueError(
        f"target_modules: {name} got no gradient up to the first rank event, so it takes no part in the loss and its "
        f"rank would mean nothing; leave it out with exclude_modules"
    )


def check_state(state: Mapping[str, Any], config: AllocationConfig, ranks: NDArray[np.uint16]) -> None:
    """Raises ValueError when a saved state is of another schedule or another adapter."""
    saved = state["config"]
    lines = [
        f"{name} = {getattr(config, name)!r}: the checkpoint was made with {saved[name]!r}; resume with the same"
        for name in sorted(COMPARED)
        if saved[name] != getattr(config, name)
    ]
    if lines:
        raise ConfigError(lines)
    if METHODS[config.method].allocation == "grows" and state["ranks"] != [int(rank) for rank in ranks]:
        raise ValueError(
            f"optimizer: its state is of an adapter of total rank {sum(state['ranks'])}, the model's has total rank "
            f"{int(ranks.sum())}; load both from one checkpoint, the adapter with is_trainable=True"
        )


def check_free(optimizer: torch.optim.Optimizer) -> None:
    """Raises ValueError when another `RankGrowth` is bound to the optimizer."""
    if getattr(optimizer, MARK, None) is not None:
        raise ValueError("optimizer: another RankGrowth is bound to it already; close() that one first")


def mark(optimizer: Any, growth: object | None) -> None:
    """Note on the optimizer who is bound to it."""
    setattr(optimizer, MARK, growth)


def unwrapped(model: Any) -> Any:
    """The PEFT model inside DistributedDataParallel and torch.compile."""
    inner = model
    while True:
        if isinstance(inner, DistributedDataParallel):
            inner = inner.module
        elif hasattr(inner, "_orig_mod"):
            inner = inner._orig_mod
        else:
            return inner


def adapter_parameters(layer: Any, adapter: str) -> list[tuple[str, torch.nn.Parameter]]:
    """Name and parameter of each part that an adapter has in a layer."""
    parts = [(name, getattr(layer, name)) for name in layer.adapter_layer_names]
    return [(name, part[adapter]) for name, part in parts if adapter in part]
