"""What the models of our growing tuners share: growing layers, and loading what has grown."""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners.tuners_utils import _get_in_out_features
from peft.utils import _get_submodules
from torch import nn

from triadapt.growth.optimizer_state import FreshSteps, enlarge
from triadapt.methods.adapter_model import AdapterModel
from triadapt.methods.tuner_layer import GrowingLayer


class GrowingModel(AdapterModel):
    """Base of tuners whose matrices grow. Subclasses set `layer_class`, `prefix` and `tuner_layer_cls`."""

    def check_size(self, layer: nn.Module, name: str, config: Any) -> None:
        features, out = _get_in_out_features(layer)
        if config.init_r > min(features, out):
            raise ValueError(
                f"init_r = {config.init_r}: {name} maps {features} features to {out}, so its rank is at most "
                f"{min(features, out)}; lower init_r, or leave this layer out with exclude_modules"
            )

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
