"""The Tied-LoRA layer: dW = s * diag(v) B diag(u) A, B and A shared by the layers of a shape (arXiv 2311.09578)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from triadapt.methods.factored_layer import FactoredLayer
from triadapt.methods.fused_linear import Core
from triadapt.methods.tiedlora.counting import zero_at_start

# PEFT takes a module for one of `modules_to_save` where its path merely ends like one, so no name ends in `v` or `u`.
PARTS = {"v": "tiedlora_v_vector", "B": "tiedlora_B", "u": "tiedlora_u_vector", "A": "tiedlora_A"}
"""Where a layer holds each factor of vBuA."""


class Factor(nn.Module):
    """One of v, B, u, A. Layers share this module and not only its parameter, so that whatever gives it another
    parameter (a move, a cast, a loaded adapter) does so for all of them. A cast of PEFT's leaves a module's parameter
    frozen; one that stands in a dict by itself it would make trainable."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)


Pair = dict[str, Factor]
"""B `(out, r)` and A `(r, in)` by letter."""


def draw_pair(out_features: int, in_features: int, config: Any) -> Pair:
    """The pair of a shape. What is frozen depends on `config.projection_seed`, shape and rank only; what is trained is
    drawn from the global random state, or 0 if it is what makes dW 0."""
    generator = torch.Generator().manual_seed(config.projection_seed)
    pair = {}
    for letter, shape in (("A", (config.r, in_features)), ("B", (out_features, config.r))):
        # As LoRA draws its A: uniform, up to one over the root of how many numbers a row takes in.
        bound = 1 / math.sqrt(shape[1])
        frozen = torch.empty(shape).uniform_(-bound, bound, generator=generator)
        if letter not in config.trains:
            pair[letter] = Factor(frozen)
        elif letter == zero_at_start(config.trains):
            pair[letter] = Factor(torch.zeros(shape))
        else:
            pair[letter] = Factor(torch.empty(shape).uniform_(-bound, bound))
    return pair


class VectorCore:
    """diag(u) `(r, r)`."""

    def value(self, *trained: torch.Tensor) -> torch.Tensor:
        return torch.diag(trained[0])

    def gradients(self, gradient: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (gradient.diagonal(),)


class TiedLinear(FactoredLayer):
    """A linear layer with Tied-LoRA adapters. Shapes: v `(out,)`, B `(out, r)`, u `(r,)`, A `(r, in)`.

    All four are parameters, what is frozen among them too: it is moved, cast and saved like the rest.
    """

    adapter_layer_names = tuple(PARTS.values())
    other_param_names = ("scaling", "adapter_dropout")

    def __init__(
        self,
        base_layer: nn.Module,
        adapter_name: str,
        config: Any,
        pairs: dict[tuple[int, int], Pair] | None = None,
        **_: Any,
    ) -> None:
        super().__init__(base_layer, config.fan_in_fan_out)
        self.tiedlora_v_vector = nn.ModuleDict({})
        self.tiedlora_B = nn.ModuleDict({})
        self.tiedlora_u_vector = nn.ModuleDict({})
        self.tiedlora_A = nn.ModuleDict({})
        # PEFT's class has one for all layers.
        self.frozen_peft_weight_names: dict[str, tuple[str, ...]] = {}
        self._active_adapter = adapter_name
        self.update_layer(adapter_name, config, pairs)

    def update_layer(
        self, adapter_name: str, config: Any, pairs: dict[tuple[int, int], Pair] | None = None
    ) -> None:  # fmt: skip
        """Add an adapter with dW = 0. pairs: those of the adapter so far, by `(out, in)`; this layer takes the one of
        its shape, and where there is none leaves its own for the others."""
        shape = (self.out_features, self.in_features)
        pairs = {} if pairs is None else pairs
        pair = pairs[shape] if shape in pairs else pairs.setdefault(shape, draw_pair(*shape, config))
        zero = zero_at_start(config.trains)
        self.scaling[adapter_name] = config.alpha / config.r
        self.set_dropout(adapter_name, config.dropout)
        self.tiedlora_v_vector[adapter_name] = Factor(torch.full((self.out_features,), float(zero != "v")))
        self.tiedlora_B[adapter_name] = pair["B"]
        self.tiedlora_u_vector[adapter_name] = Factor(torch.full((config.r,), float(zero != "u")))
        self.tiedlora_A[adapter_name] = pair["A"]
        self.frozen_peft_weight_names[adapter_name] = tuple(
            name for letter, name in PARTS.items() if letter not in config.trains
        )
        self._move_adapter_to_device_of_base_layer(adapter_name)
        self.set_adapter(self.active_adapters, inference_mode=config.inference_mode)

    def factors(self, adapter: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """v, B, u and A, all on the device of this layer; the pair is on that of one of those that share it."""
        held: list[Any] = [getattr(self, name)[adapter] for name in PARTS.values()]
        v, B, u, A = (factor.weight for factor in held)
        return v, B.to(v.device), u, A.to(v.device)

    def rank(self, adapter: str) -> int:
        """Rank of the pair."""
        factor: Any = self.tiedlora_u_vector[adapter]
        return len(factor.weight)

    def parts(self, adapter: str) -> tuple[torch.Tensor, torch.Tensor, Core, tuple[torch.Tensor, ...]]:
        v, B, u, A = self.factors(adapter)
        return A, v[:, None] * B, VectorCore(), (u,)

    def delta(self, adapter: str) -> torch.Tensor:
        A, B = self.lora_factors(adapter)
        return B @ A

    def lora_factors(self, adapter: str) -> tuple[torch.Tensor, torch.Tensor]:
        """dW as a product of two: diag(u) A `(r, in)` and s diag(v) B `(out, r)`."""
        v, B, u, A = self.factors(adapter)
        return u[:, None] * A, self.scaling[adapter] * v[:, None] * B

    def __repr__(self) -> str:
        return "tiedlora." + super().__repr__()
