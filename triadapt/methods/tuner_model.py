"""What the models of our tuners share: replacing linear layers, growing them, and loading what has grown."""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTuner, BaseTunerLayer
from peft.utils import _get_submodules
from torch import nn
from transformers.pytorch_utils import Conv1D

from triadapt.growth.optimizer_state import FreshSteps, enlarge
from triadapt.methods.tuner_layer import GrowingLayer


class GrowingModel(BaseTuner):  # type: ignore[misc]
    """Base of tuners whose matrices grow. Subclasses set `layer_class`, `prefix` and `tuner_layer_cls`."""

    model: nn.Module
    layer_class: Any
    target_module_mapping: dict[str, list[str]] = {}  # noqa: RUF012

    def _create_and_replace(
        self, config: Any, adapter_name: str, target: nn.Module, target_name: str, parent: nn.Module, current_key: str,
        **_: Any,
    ) -> None:  # fmt: skip
        if isinstance(target, self.layer_class):
            target.update_layer(adapter_name, config)
            return
        base = target.get_base_layer() if isinstance(target, BaseTunerLayer) else target
        if isinstance(base, Conv1D):
            config.fan_in_fan_out = True
        elif isinstance(base, nn.Linear):
            config.fan_in_fan_out = False
        else:
            raise ValueError(
                f"target_modules: {current_key} is a {type(base).__name__}; "
                f"only Linear and Conv1D layers can be adapted"
            )
        module = self.layer_class(target, adapter_name, config=config)
        if adapter_name not in self.active_adapters:
            module.requires_grad_(False)
        self._replace_module(parent, target_name, module, target)

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
