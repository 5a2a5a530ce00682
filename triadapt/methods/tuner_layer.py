"""What the linear layers of our tuners share: merge, unmerge, and the frozen forward pass around the adapter."""

from __future__ import annotations

import warnings
from typing import Any

import torch
import torch.nn.functional as F
from peft.tuners.tuners_utils import BaseTunerLayer, _get_in_out_features, check_adapters_to_merge
from torch import nn

from triadapt.methods.four_bit import dequantized, is_four_bit, requantize


class GrowingLayer(nn.Module, BaseTunerLayer):  # type: ignore[misc]
    """A frozen linear layer with adapters whose rank can grow.

    Subclasses name their parameters in `adapter_layer_names` and implement `add_adapter`, `delta`, `update_layer`
    and `resize`.
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
        self.scale_rule: dict[str, tuple[str, float, int]] = {}
        self.adapter_dropout = nn.ModuleDict({})
        self._disable_adapters = False
        self.merged_adapters: list[str] = []

    def add_adapter(self, result: torch.Tensor, x: torch.Tensor, adapter: str) -> torch.Tensor:
        """`result` `(..., out)` plus what the adapter gives for input `x` `(..., in)`."""
        raise NotImplementedError

    def delta(self, adapter: str) -> torch.Tensor:
        """dW of the adapter, `(out, in)`."""
        raise NotImplementedError

    def lora_factors(self, adapter: str) -> tuple[torch.Tensor, torch.Tensor]:
        """dW as a product of two: A `(r, in)` and B `(out, r)`, the scale in B; r is the rank in use."""
        raise NotImplementedError

    def set_scale(self, adapter: str, *, rank: int, blocks: int) -> None:
        """Scale of the update at the given rank and number of blocks, by the rule `(scale, alpha, reference rank)`."""
        rule, alpha, reference_rank = self.scale_rule[adapter]
        divisor = {"constant": float(reference_rank), "rank": rank + 1e-5, "blocks": blocks + 1e-5}[rule]
        self.scaling[adapter] = alpha / divisor

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
        result = self.base_layer(x, *args, **kwargs)
        if self.merged:
            return result
        for adapter in self.active_adapters:
            if adapter in self.scaling:
                result = self.add_adapter(result, x, adapter)
        return result

    @staticmethod
    def add_product(result: torch.Tensor, hidden: torch.Tensor, B: torch.Tensor, scale: float) -> torch.Tensor:
        """`result + scale * hidden B'` for hidden `(..., r)` and B `(out, r)`, in the type of `result`."""
        if result.dtype != hidden.dtype:
            return result + (F.linear(hidden, B) * scale).to(result.dtype)
        # One fused call in place of a product, a scaling and a sum: at small widths the calls are what costs.
        flat = result.reshape(-1, result.shape[-1])
        return torch.addmm(flat, hidden.reshape(-1, hidden.shape[-1]), B.T, alpha=scale).view(result.shape)

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
