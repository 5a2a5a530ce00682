"""What has to hold before rank grows in a training that is not ours; each failure is one line with its fix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from peft import PeftModel

from triadapt.config import AllocationConfig, ConfigError, parse_allocation
from triadapt.growth.preview import preview
from triadapt.methods.registry import METHODS, MethodSpec

OWN_NAMES = {"warmup": "tinit", "interval": "deltaT"}


def adaptive_adapter(model: Any) -> tuple[MethodSpec, str]:
    """The method and name of the active adapter. Raises ValueError when it is none whose rank changes."""
    known = ", ".join(spec.label for spec in METHODS.values() if spec.allocation != "fixed")
    if not isinstance(model, PeftModel):
        raise ValueError(f"model: a {type(model).__name__}, not a PEFT model; wrap it with get_peft_model ({known})")
    active = model.active_adapters
    if len(active) != 1:
        raise ValueError(f"model: {len(active)} adapters are active ({', '.join(active)}); set one with set_adapter")
    kind = model.peft_config[active[0]].peft_type
    name = str(getattr(kind, "value", kind)).lower()
    spec = METHODS.get(name)
    if spec is None or spec.allocation == "fixed":
        raise ValueError(f"peft_type = {name.upper()}: its rank never changes; adaptive methods are {known}")
    return spec, active[0]


def configuration(
    spec: MethodSpec, values: Mapping[str, Any], of_peft: Mapping[str, Any], settings: Mapping[str, Any]
) -> AllocationConfig:
    """The configuration of an allocation from the caller's `values`, what PEFT's configuration says, and the method's
    own settings. Raises ConfigError."""
    lines = []
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
    """Raises ConfigError for a schedule that would change no rank: shown as a warning where one plays, a mistake where
    a model of one's own is at stake."""
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


def check_parameters(layers: Mapping[str, Any], optimizer: torch.optim.Optimizer, adapter: str) -> None:
    """Raises ValueError for a part of the adapter that is frozen or that the optimizer does not hold."""
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    for path, layer in layers.items():
        for name, parameter in _parameters(layer, adapter):
            if not parameter.requires_grad:
                raise ValueError(
                    f"inference_mode: {path}.{name} is frozen; wrap the model with inference_mode=False or load the "
                    f"adapter with is_trainable=True"
                )
            if id(parameter) not in held:
                raise ValueError(
                    f"optimizer: it does not hold {path}.{name}; make it after the model is wrapped, over every "
                    f"parameter that requires a gradient"
                )


def check_gradients(layers: Mapping[str, Any], adapter: str) -> None:
    """Raises ValueError for a layer of which a part got no gradient; a regulariser may reach the others."""
    for path, layer in layers.items():
        if any(parameter.grad is None for _, parameter in _parameters(layer, adapter)):
            raise ValueError(
                f"target_modules: {path} got no gradient, so it takes no part in the loss and its rank would mean "
                f"nothing; leave it out with exclude_modules"
            )


def _parameters(layer: Any, adapter: str) -> list[tuple[str, torch.nn.Parameter]]:
    parts = [(name, getattr(layer, name)) for name in layer.adapter_layer_names]
    return [(name, part[adapter]) for name, part in parts if adapter in part]
