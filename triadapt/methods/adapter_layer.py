"""What the linear layers of all our tuners share: merge, unmerge, and the frozen forward pass around the adapter."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer, _get_in_out_features, check_adapters_to_merge
from torch import nn

from triadapt.methods.four_bit import dequantized, is_four_bit, requantize


class AdapterLayer(nn.Module, BaseTunerLayer):  # type: ignore[misc]
    """A frozen linear layer with adapters.

    Subclasses name their parameters in `adapter_layer_names`, keep the scale of each adapter in `scaling`, and
    implement `add_adapter`, `delta` and `update_layer`.
    """

    # What PEFT's base class brings has no types; nn.Module would claim it for submodules.
    get_base_layer: Any
    active_adapters: Any
    set_adapter: Any
    _move_adapter_to_device_of_base_layer: Any

    def __init__(self, base_layer: nn.Module, fan_in_fan_out: bool) -> None:
        super().__init__()
        self.base_layer = base_layer
        self.fan_in_fan_out = fan_in_fan_out
        features = _get_in_out_features(base_layer)
        self.in_features, self.out_features = int(features[0] or 0), int(features[1] or 0)
        self.scaling: dict[str, float] = {}
        self.adapter_dropout = nn.ModuleDict({})
        self._disable_adapters = False
        self.merged_adapters: list[str] = []

    def update_layer(self, adapter_name: str, config: Any) -> None:
        """Add an adapter with dW = 0."""
        raise NotImplementedError

    def add_adapter(self, result: torch.Tensor, x: torch.Tensor, adapter: str) -> torch.Tensor:
        """`result` `(..., out)` plus what the adapter gives for input `x` `(..., in)`."""
        raise NotImplementedError

    def in_one(self, x: torch.Tensor, adapter: str) -> torch.Tensor | None:
        """The frozen layer and one adapter in one operation, or None where that would not be the same."""
        return None

    def delta(self, adapter: str) -> torch.Tensor:
        """dW of the adapter, `(out, in)`."""
        raise NotImplementedError

    def set_dropout(self, adapter: str, rate: float) -> None:
        """Dropout on the input of an adapter."""
        self.adapter_dropout[adapter] = nn.Dropout(rate) if rate > 0 else nn.Identity()

    def place(self, parameter: torch.Tensor) -> torch.device:
        """Device for the buffers that go with a parameter, which low-memory loading leaves without one for a while."""
        device: torch.device = (self.get_base_layer().weight if parameter.is_meta else parameter).device
        return device

    def get_delta_weight(self, adapter: str) -> torch.Tensor:
        """dW in the layout of the base weight."""
        delta = self.delta(adapter)
        return delta.T if self.fan_in_fan_out else delta

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        if self.disable_adapters:
            if self.merged:
                self.unmerge()
            return self.base_layer(x, *args, **kwargs)
        if self.merged:
            return self.base_layer(x, *args, **kwargs)
        adapters = [adapter for adapter in self.active_adapters if adapter in self.scaling]
        if len(adapters) == 1 and not args and not kwargs:
            result = self.in_one(x, adapters[0])
            if result is not None:
                return result
        result = self.base_layer(x, *args, **kwargs)
        for adapter in adapters:
            result = self.add_adapter(result, x, adapter)
        return result

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Add dW of the given (default: active) adapters to the base weight, which rounds if it is held in 4 bits.

        safe_merge: raise ValueError, with the weight as it was, if the sum is not finite.
        """
        for adapter in check_adapters_to_merge(self, adapter_names):
            if adapter not in self.scaling:
                continue
            self._shift_base(adapter, 1, safe_merge)
            self.merged_adapters.append(adapter)

    def unmerge(self) -> None:
        """Take merged adapters out of the base weight again."""
        if not self.merged:
            warnings.warn("Already unmerged. Nothing to do.", stacklevel=2)
            return
        while self.merged_adapters:
            self._shift_base(self.merged_adapters.pop(), -1, False)

    @torch.no_grad()
    def _shift_base(self, adapter: str, sign: int, check_finite: bool) -> None:
        base = self.get_base_layer()
        four_bit = is_four_bit(base)
        weight = dequantized(base) if four_bit else base.weight.data
        shifted = weight + sign * self.get_delta_weight(adapter).to(weight.dtype)
        if check_finite and not torch.isfinite(shifted).all():
            raise ValueError(f"merging adapter {adapter!r} gives weights that are not finite")
        if four_bit:
            what = "Merging into" if sign > 0 else "Unmerging from"
            warnings.warn(f"{what} 4-bit weights rounds them: outputs change a little.", stacklevel=3)
            requantize(base, shifted)
        else:
            base.weight.data = shifted
