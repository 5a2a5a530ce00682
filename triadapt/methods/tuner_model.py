"""What the models of our tuners share: replacing linear layers, growing them, and loading what has grown."""

from __future__ import annotations

from typing import Any, Self

import torch
from peft.tuners.tuners_utils import BaseTuner, BaseTunerLayer, NoMatchingPeftModuleError, _get_in_out_features
from peft.utils import _get_submodules
from torch import nn
from transformers.pytorch_utils import Conv1D

from triadapt.growth.optimizer_state import FreshSteps, enlarge
from triadapt.methods.four_bit import is_bitsandbytes, restore_layout
from triadapt.methods.tuner_layer import GrowingLayer


def check_layer(layer: nn.Module, name: str, init_r: int) -> None:
    """Raise ValueError naming field, layer and fix where `layer` cannot be adapted with rank `init_r`."""
    if is_bitsandbytes(layer, "Linear8bitLt"):
        raise ValueError(
            f"target_modules: {name} is a {type(layer).__name__}; 8-bit layers cannot be adapted, "
            f"load the model in 4 bits or as it is"
        )
    if not isinstance(layer, nn.Linear | Conv1D):
        raise ValueError(
            f"target_modules: {name} is a {type(layer).__name__}; only Linear and Conv1D layers can be adapted"
        )
    features, out = _get_in_out_features(layer)
    if init_r > min(features, out):
        raise ValueError(
            f"init_r = {init_r}: {name} maps {features} features to {out}, so its rank is at most "
            f"{min(features, out)}; lower init_r, or leave this layer out with exclude_modules"
        )


def unmatched(model: nn.Module, config: Any) -> str:
    """One line for a choice of layers that leaves none: every field that takes part, and what could be named."""
    fields = ("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern")
    values = {name: getattr(config, name) for name in fields if getattr(config, name) is not None}
    given = ", ".join(f"{k} = {sorted(v) if isinstance(v, set) else v!r}" for k, v in values.items())
    # The last part of a name is what target_modules usually holds; a number alone says nothing.
    found = [name for name, module in model.named_modules() if isinstance(module, nn.Linear | Conv1D)]
    names = {name.removesuffix(".base_layer") for name in found}
    short = sorted({name if name.rpartition(".")[2].isdigit() else name.rpartition(".")[2] for name in names})
    more = f" and {len(short) - 12} more" if len(short) > 12 else ""
    return f"{given}: no layer of this model is chosen; its linear layers are {', '.join(short[:12])}{more}"


class GrowingModel(BaseTuner):  # type: ignore[misc]
    """Base of tuners whose matrices grow. Subclasses set `layer_class`, `prefix` and `tuner_layer_cls`."""

    model: nn.Module
    layer_class: Any
    target_module_mapping: dict[str, list[str]] = {}  # noqa: RUF012

    def _create_and_replace(
        self, config: Any, adapter_name: str, target: nn.Module, target_name: str, parent: nn.Module, current_key: str,
        **_: Any,
    ) -> None:  # fmt: skip
        base = target.get_base_layer() if isinstance(target, BaseTunerLayer) else target
        check_layer(base, current_key, config.init_r)
        config.fan_in_fan_out = isinstance(base, Conv1D)
        if isinstance(target, self.layer_class):
            target.update_layer(adapter_name, config)
            return
        module = self.layer_class(target, adapter_name, config=config)
        if adapter_name not in self.active_adapters:
            module.requires_grad_(False)
        self._replace_module(parent, target_name, module, target)

    def inject_adapter(self, model: nn.Module, adapter_name: str, *args: Any, **kwargs: Any) -> None:
        """See PEFT. Raises NoMatchingPeftModuleError, a ValueError, that says which layers there are."""
        try:
            super().inject_adapter(model, adapter_name, *args, **kwargs)
        except NoMatchingPeftModuleError as error:
            raise NoMatchingPeftModuleError(unmatched(model, self.peft_config[adapter_name])) from error

    def train(self, mode: bool = True) -> Self:
        if mode:  # the layers that are not adapted too: gradients pass through them
            for module in self.model.modules():
                restore_layout(module)
        trained: Self = super().train(mode)
        return trained

    def layers(self) -> dict[str, GrowingLayer]:
        """Adapted layers by their path in the base model, in the model's order."""
        return {name: m for name, m in self.model.named_modules() if isinstance(m, self.layer_class)}

    def grow_layer(
        self, layer: GrowingLayer, adapter: str, data: dict[str, torch.Tensor],
        optimizer: torch.optim.Optimizer | None, fresh: FreshSteps | None, *, before_step: bool = False,
    ) -> None:  # fmt: skip
        """Put larger data into a layer's parameters under a living optimizer.

        before_step: whether this happens between backward and the optimizer's step, so that gradients stay.
        """
        for part, larger in data.items():
            parameter = getattr(layer, self.prefix + part)[adapter]
            old_shape = parameter.shape
            enlarge(parameter, larger, optimizer, keep_gradient=before_step)
            if fresh is not None:
                fresh.born(parameter, old_shape, before_step=before_step)

    @classmethod
    def _remap_adapter_state_dict_for_load(
        cls, model: Any, config: Any, adapter_name: str, state_dict: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """Give every layer the rank that its saved tensors have; the saved config is not always read (resume)."""
        remapped: dict[str, torch.Tensor] = super()._remap_adapter_state_dict_for_load(
            model, config, adapter_name, state_dict
        )
        suffix = f".{cls.prefix}A.{adapter_name}"
        for key, value in remapped.items():
            if key.endswith(suffix):
                _, layer, _ = _get_submodules(model, key.removesuffix(suffix))
                cls.resize_for_load(layer, adapter_name, value.shape[0], remapped, key.removesuffix(suffix))
        return remapped

    @classmethod
    def resize_for_load(
        cls, layer: Any, adapter: str, rows: int, state_dict: dict[str, torch.Tensor], path: str
    ) -> None:
        """Resize one layer to what is about to be loaded into it."""
        raise NotImplementedError
