"""What the linear layers of our growing tuners share."""

from __future__ import annotations

import torch
from torch import nn

from triadapt.methods.adapter_layer import AdapterLayer
from triadapt.methods.fused_linear import Core, adapted_linear, add_update, frozen_linear


class GrowingLayer(AdapterLayer):
    """A frozen linear layer with adapters whose rank can grow.

    Subclasses name their parameters in `adapter_layer_names` and implement `parts`, `delta`, `update_layer` and
    `resize`.
    """

    def __init__(self, base_layer: nn.Module, fan_in_fan_out: bool) -> None:
        super().__init__(base_layer, fan_in_fan_out)
        self.scale_rule: dict[str, tuple[str, float, int]] = {}

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

    def lora_factors(self, adapter: str) -> tuple[torch.Tensor, torch.Tensor]:
        """dW as a product of two: A `(r, in)` and B `(out, r)`, the scale in B; r is the rank in use."""
        raise NotImplementedError

    def set_scale(self, adapter: str, *, rank: int, blocks: int) -> None:
        """Scale of the update at the given rank and number of blocks, by the rule `(scale, alpha, reference rank)`."""
        rule, alpha, reference_rank = self.scale_rule[adapter]
        divisor = {"constant": float(reference_rank), "rank": rank + 1e-5, "blocks": blocks + 1e-5}[rule]
        self.scaling[adapter] = alpha / divisor
