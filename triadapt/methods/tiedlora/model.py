"""The Tied-LoRA tuner."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from triadapt.methods.adapter_layer import AdapterLayer
from triadapt.methods.adapter_model import AdapterModel
from triadapt.methods.tiedlora.layer import Pair, TiedLinear


class TiedLoraModel(AdapterModel):
    """Adapts linear layers by `s * diag(v) B diag(u) A`, one pair B, A for all layers of a shape (arXiv 2311.09578).

    A saved adapter holds each pair once, under the name of the first layer that has it.
    """

    prefix: str = "tiedlora_"
    tuner_layer_cls = TiedLinear
    layer_class = TiedLinear

    def inject_adapter(self, model: nn.Module, adapter_name: str, *args: Any, **kwargs: Any) -> None:
        self._pairs: dict[tuple[int, int], Pair] = {}
        try:
            super().inject_adapter(model, adapter_name, *args, **kwargs)
        finally:
            del self._pairs

    def new_layer(self, base: nn.Module, adapter_name: str, config: Any) -> AdapterLayer:
        return TiedLinear(base, adapter_name, config=config, pairs=self._pairs)

    def extend_layer(self, layer: AdapterLayer, adapter_name: str, config: Any) -> None:
        assert isinstance(layer, TiedLinear)
        layer.update_layer(adapter_name, config, self._pairs)

    @classmethod
    def _get_adapter_state_dict(
        cls, model: nn.Module, config: Any, adapter_name: str, *args: Any, **kwargs: Any
    ) -> dict[str, torch.Tensor]:
        """Each shared factor once."""
        found: dict[str, torch.Tensor] = super()._get_adapter_state_dict(model, config, adapter_name, *args, **kwargs)
        again = _other_names(model, adapter_name)
        return {key: value for key, value in found.items() if key not in again}

    @classmethod
    def _remap_adapter_state_dict_for_load(
        cls, model: nn.Module, config: Any, adapter_name: str, state_dict: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """Each shared factor under all the names that it has in the model, so that none is found missing."""
        remapped: dict[str, torch.Tensor] = super()._remap_adapter_state_dict_for_load(
            model, config, adapter_name, state_dict
        )
        for name, first in _other_names(model, adapter_name).items():
            # Directly injected layers have no prefix in the model; PEFT takes it off what is loaded afterwards.
            for prefix in ("", "base_model.model."):
                if prefix + first in remapped:
                    remapped[prefix + name] = remapped[prefix + first]
        return remapped


def _other_names(model: nn.Module, adapter: str) -> dict[str, str]:
    """The names of shared factors in the state of `model` beyond the first of each, and the first."""
    first: dict[nn.Module, str] = {}
    found = {}
    for path, layer in model.named_modules():
        if not isinstance(layer, TiedLinear) or adapter not in layer.scaling:
            continue
        for part in ("tiedlora_B", "tiedlora_A"):
            factor = getattr(layer, part)[adapter]
            name = f"{path}.{part}.{adapter}.weight"
            if factor in first:
                found[name] = first[factor]
            else:
                first[factor] = name
    return found
