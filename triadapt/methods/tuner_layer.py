"""What the linear layers of our tuners share: merge, unmerge, and the frozen forward pass around the adapter."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer, _get_in_out_features, check_adapters_to_merge
from torch import nn

from triadapt.methods.four_bit import dequantized, is_four_bit, requantize
from triadapt.methods.fused_linear import Core, adapted_linear, add_update, frozen_linear


class GrowingLayer(nn.Module, BaseTunerLayer):  # type: ignore[misc]
    """A frozen linear layer with adapters whose rank can grow.

    Subclasses name their parameters in `adapter_layer_names` and implement `parts`, `delta`, `update_layer` and
    `resize`.
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

    def parts(self, adapter: str) -> tuple[torch.Tensor, torch.Tensor, Core, tuple[torch.Tensor, ...]]:
        """A `(r, in)` and B `(out, r)` of dW = scale * B C A, how C `(r, r)` is made, and what it is made of."""
        raise NotImplementedError

    def watch(self, result: torch.Tensor, x: torch.Tensor, adapter: str) -> None:
        """Called with an adapter's input `(..., in)` and the layer's result with it `(..., out)`."""

    def add_adapter(self, result: torch.Tensor, x: torch.Tensor, adapter: str) -> torch.Tensor:
        """`result` `(..., out)` plus what the adapter gives for input `x` `(..., in)`."""
        A, B, core, trained = self.parts(adapter)
        x = self.adapter_dropout[adapter](x.to(A.dtype))
        result = add_update(result, x, A, core.value(*trained), B, self.scaling[adapter])
        self.watch(result, x, adapter)
        return result

    def in_one(self, x: torch.Tensor, adapter: str) -> torch.Tensor | None:
        """The frozen layer and one adapter in one operation, or None where that would not be the same."""
        dropout = self.adapter_dropout[adapter]
        if dropout.training and not isinstance(dropout, nn.Identity):
            return None
        frozen = frozen_linear(self.base_layer, x)
        if frozen is None:
            return None
        A, B, core, trained = self.parts(adapter)
        if A.dtype != x.dtype or B.dtype != x.dtype:
            return None
        result = adapted_linear(x, *frozen, A, B, self.scaling[adapter], core, trained)
        self.watch(result, x, adapter)
        return result

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
