"""What layers share whose dW is a product of two factors, with something small between them."""

from __future__ import annotations

import torch
from torch import nn

from triadapt.methods.adapter_layer import AdapterLayer
from triadapt.methods.fused_linear import Core, adapted_linear, add_update, frozen_linear


class FactoredLayer(AdapterLayer):
    """A frozen linear layer with adapters of dW = scale * B C A. Subclasses implement `parts`."""

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
