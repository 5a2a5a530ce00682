"""The SURM layer: dW = alpha / sqrt(in) * M with M a structured matrix (arXiv 2406.17740, section 3)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from triadapt.methods.adapter_layer import AdapterLayer
from triadapt.methods.surm.products import Parts, dense, multiply
from triadapt.methods.surm.sizes import part_shapes

PARTS = "ctghPQ"


class SurmLinear(AdapterLayer):
    """A linear layer with SURM adapters, each of the parts that `sizes.part_shapes` names.

    **Scale.** After the first step of Adam every entry that has a gradient is `learning rate` away from where it was.
    An entry of a circulant or Toeplitz matrix is one such number, so dW moves by `s * rate` everywhere. LoRA starts
    with B = 0 and A uniform within `1 / sqrt(in)`: an entry of its dW moves by the sum of r entries of A with signs,
    about `alpha * rate * sqrt(r / (3 in))` where its scale is alpha. With `s = alpha / sqrt(in)` both are the same
    at r = 3 and within a factor of 2 for r from 1 to 12. The number that counts is the layer's own input size, also
    where the structured matrix is larger because the output is. Kronecker has Q = 0 and P standard normal; displacement
    has h = 0 and g of standard deviation `1 / sqrt(n)`, over `sqrt(k)` for k products. So an entry of M moves by `rate`
    in the root mean square there too.
    """

    adapter_layer_names = tuple(f"surm_{part}" for part in PARTS)
    other_param_names = ("scaling", "adapter_dropout")

    def __init__(self, base_layer: nn.Module, adapter_name: str, config: Any, **_: Any) -> None:
        super().__init__(base_layer, config.fan_in_fan_out)
        for name in self.adapter_layer_names:
            setattr(self, name, nn.ParameterDict({}))
        self._active_adapter = adapter_name
        self.update_layer(adapter_name, config)

    def update_layer(self, adapter_name: str, config: Any) -> None:
        """Add an adapter with dW = 0."""
        self.scaling[adapter_name] = config.alpha / math.sqrt(self.in_features)
        self.set_dropout(adapter_name, config.dropout)
        for part, values in self.start(config).items():
            getattr(self, f"surm_{part}")[adapter_name] = nn.Parameter(values)
        self._move_adapter_to_device_of_base_layer(adapter_name)
        self.set_adapter(self.active_adapters, inference_mode=config.inference_mode)

    def start(self, config: Any) -> Parts:
        """Parts with which dW is 0 and has a gradient: whatever is linear in dW is 0, what multiplies it is drawn."""
        shapes = part_shapes(
            config.structure, self.out_features, self.in_features, config.displacement_rank, config.factor
        )
        drawn = {"P": 1.0, "g": 1 / math.sqrt(math.prod(shapes.get("g", (1,))))}
        return {
            part: torch.empty(shape).normal_(0, drawn[part]) if part in drawn else torch.zeros(shape)
            for part, shape in shapes.items()
        }

    def parts(self, adapter: str) -> Parts:
        """The trained parts of an adapter by name."""
        held = {part: getattr(self, f"surm_{part}") for part in PARTS}
        return {part: parameters[adapter] for part, parameters in held.items() if adapter in parameters}

    def _scaled(self, adapter: str) -> Parts:
        """The parts of dW: M is linear in the first of them, which is small beside what M is multiplied with."""
        parts = self.parts(adapter)
        first = next(iter(parts))
        return parts | {first: parts[first] * self.scaling[adapter]}

    def add_adapter(self, result: torch.Tensor, x: torch.Tensor, adapter: str) -> torch.Tensor:
        parts = self._scaled(adapter)
        x = self.adapter_dropout[adapter](x.to(next(iter(parts.values())).dtype))
        return result + multiply(x, parts, self.out_features).to(result.dtype)

    def delta(self, adapter: str) -> torch.Tensor:
        return dense(self._scaled(adapter), self.out_features, self.in_features)

    def parameter_count(self, adapter: str) -> int:
        """Trained entries of one adapter."""
        return sum(part.numel() for part in self.parts(adapter).values())

    def __repr__(self) -> str:
        return "surm." + super().__repr__()
