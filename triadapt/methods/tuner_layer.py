"""What the linear layers of our growing tuners share."""

from __future__ import annotations

import torch
from torch import nn

from triadapt.methods.factored_layer import FactoredLayer


class GrowingLayer(FactoredLayer):
    """A frozen linear layer with adapters whose rank can grow.

    Subclasses name their parameters in `adapter_layer_names` and implement `parts`, `delta`, `update_layer` and
    `resize`.
    """

    def __init__(self, base_layer: nn.Module, fan_in_fan_out: bool) -> None:
        super().__init__(base_layer, fan_in_fan_out)
        self.scale_rule: dict[str, tuple[str, float, int]] = {}

    def lora_factors(self, adapter: str) -> tuple[torch.Tensor, torch.Tensor]:
        """dW as a product of two: A `(r, in)` and B `(out, r)`, the scale in B; r is the rank in use."""
        raise NotImplementedError

    def set_scale(self, adapter: str, *, rank: int, blocks: int) -> None:
        """Scale of the update at the given rank and number of blocks, by the rule `(scale, alpha, reference rank)`."""
        rule, alpha, reference_rank = self.scale_rule[adapter]
        divisor = {"constant": float(reference_rank), "rank": rank + 1e-5, "blocks": blocks + 1e-5}[rule]
        self.scaling[adapter] = alpha / divisor
