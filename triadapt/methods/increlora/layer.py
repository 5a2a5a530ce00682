"""The IncreLoRA layer: dW = s * B diag(E) A, rank-1 triplets in use and in reserve (arXiv 2308.12043)."""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners._buffer_dict import BufferDict
from torch import nn

from triadapt.methods.fused_linear import Core
from triadapt.methods.tuner_layer import GrowingLayer

RESERVE_VALUE = 1e-5
INIT_STD = 0.02


class DiagonalCore:
    """diag(E * gate + floor) `(k, k)`, all three `(k, 1)`."""

    def __init__(self, gate: torch.Tensor, floor: torch.Tensor) -> None:
        self.gate, self.floor = gate, floor

    def value(self, *trained: torch.Tensor) -> torch.Tensor:
        return torch.diag(torch.addcmul(self.floor, trained[0], self.gate)[:, 0])

    def gradients(self, gradient: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (gradient.diagonal()[:, None] * self.gate,)


class IncreLinear(GrowingLayer):
    """A linear layer with IncreLoRA adapters.

    Shapes for k triplets, those in use first, the reserve after them: A `(k, in)`, E `(k, 1)`, B `(out, k)`. The value
    of a triplet is `E * gate + floor`: gate 1 and floor 0 in use, gate 0 and floor 1e-5 in reserve, both 0 when off.
    """

    adapter_layer_names = ("increlora_A", "increlora_B", "increlora_E")
    other_param_names = (
        "scaling",
        "scale_rule",
        "rank_in_use",
        "increlora_used",
        "increlora_gate",
        "increlora_floor",
        "adapter_dropout",
    )

    def __init__(self, base_layer: nn.Module, adapter_name: str, config: Any, **_: Any) -> None:
        super().__init__(base_layer, config.fan_in_fan_out)
        self.increlora_A = nn.ParameterDict({})
        self.increlora_B = nn.ParameterDict({})
        self.increlora_E = nn.ParameterDict({})
        self.increlora_used = BufferDict({}, persistent=True)
        self.increlora_gate = BufferDict({}, persistent=False)
        self.increlora_floor = BufferDict({}, persistent=False)
        self.rank_in_use: dict[str, int] = {}
        self.observing = False
        self.observed: torch.Tensor | None = None
        self._active_adapter = adapter_name
        self.update_layer(adapter_name, config)

    def update_layer(self, adapter_name: str, config: Any) -> None:
        """Add an adapter of rank `config.init_r` with dW = 0: E = 0, A and B normal with deviation 0.02."""
        self.scale_rule[adapter_name] = (config.scale, config.alpha, config.reference_rank)
        self.set_dropout(adapter_name, config.dropout)
        used, size = config.init_r, config.init_r + (config.add_r if config.advance_learning else 0)
        A, B = self.draw_triplets(size, None)
        self.increlora_A[adapter_name] = nn.Parameter(A)
        self.increlora_B[adapter_name] = nn.Parameter(B)
        value = torch.zeros(size, 1)
        value[used:] = RESERVE_VALUE
        self.increlora_E[adapter_name] = nn.Parameter(value)
        self.set_used(adapter_name, used)
        self._move_adapter_to_device_of_base_layer(adapter_name)
        self.set_adapter(self.active_adapters, inference_mode=config.inference_mode)

    def draw_triplets(self, count: int, generator: torch.Generator | None) -> tuple[torch.Tensor, torch.Tensor]:
        """A `(count, in)` and B `(out, count)` of new triplets."""
        A = torch.empty(count, self.in_features).normal_(0, INIT_STD, generator=generator)
        B = torch.empty(self.out_features, count).normal_(0, INIT_STD, generator=generator)
        return A, B

    def set_used(self, adapter: str, used: int, reserve_on: bool = True) -> None:
        """Put the first `used` triplets in use and the others in reserve, or off."""
        like = self.increlora_E[adapter].data
        gate = torch.zeros(like.shape, dtype=like.dtype, device=self.place(like))
        gate[:used] = 1
        self.increlora_used[adapter] = torch.tensor([used], device=gate.device)
        self.rank_in_use[adapter] = used
        self.set_scale(adapter, rank=used, blocks=used)
        self.increlora_gate[adapter] = gate
        self.increlora_floor[adapter] = (1 - gate) * RESERVE_VALUE * float(reserve_on)

    def used(self, adapter: str) -> int:
        """Current rank: triplets in use."""
        # Beside the saved tensor, so that asking for it at every step never waits for a GPU.
        return self.rank_in_use[adapter]

    def resize(self, adapter: str, size: int, used: int) -> None:
        """Make room for `size` triplets; values are left to whoever loads them. Parameters stay the same objects."""
        like = self.increlora_A[adapter].data
        self.increlora_A[adapter].data = like.new_zeros(size, self.in_features)
        self.increlora_B[adapter].data = like.new_zeros(self.out_features, size)
        self.increlora_E[adapter].data = like.new_zeros(size, 1)
        self.set_used(adapter, used, reserve_on=False)

    def values(self, adapter: str) -> torch.Tensor:
        """E as it acts in the forward pass, `(k, 1)`."""
        return torch.addcmul(self.increlora_floor[adapter], self.increlora_E[adapter], self.increlora_gate[adapter])

    def parts(self, adapter: str) -> tuple[torch.Tensor, torch.Tensor, Core, tuple[torch.Tensor, ...]]:
        core = DiagonalCore(self.increlora_gate[adapter], self.increlora_floor[adapter])
        return self.increlora_A[adapter], self.increlora_B[adapter], core, (self.increlora_E[adapter],)

    def watch(self, result: torch.Tensor, x: torch.Tensor, adapter: str) -> None:
        if self.observing and result.requires_grad:
            if self.increlora_A[adapter].grad is None:  # a new step, perhaps after one that a gradient scaler skipped
                self.observed = None
            seen = x.detach().reshape(-1, x.shape[-1])
            # The gradient of the sum is the gradient of the adapter's part.
            result.register_hook(lambda gradient: self._observe(gradient, seen))

    def _observe(self, gradient: torch.Tensor, x: torch.Tensor) -> None:
        # dLoss/d(dW): dW itself is never formed in the forward pass, its gradient is output gradient' x input.
        part = gradient.reshape(-1, gradient.shape[-1]).T.to(x.dtype) @ x
        self.observed = part if self.observed is None else self.observed + part

    def delta(self, adapter: str) -> torch.Tensor:
        A, B = self.increlora_A[adapter], self.increlora_B[adapter]
        return B @ (A * (self.values(adapter) * self.scaling[adapter]))

    def lora_factors(self, adapter: str) -> tuple[torch.Tensor, torch.Tensor]:
        used = self.used(adapter)
        A, B = self.increlora_A[adapter][:used], self.increlora_B[adapter][:, :used]
        return A, self.scaling[adapter] * B * self.values(adapter)[:used].T

    def grown(self, adapter: str, gain: int, reserve: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Values with `gain` more triplets in use and a reserve of `reserve` after them, by name (A, B, E)."""
        data = {name: getattr(self, f"increlora_{name}")[adapter].data for name in "ABE"}
        old, size = data["A"].shape[0], self.used(adapter) + gain + reserve
        if size <= old:
            return data
        new = size - old
        rows, columns = self.draw_triplets(new, generator)
        values = torch.full((new, 1), RESERVE_VALUE)
        return {
            "A": torch.cat([data["A"], rows.to(data["A"])], dim=0),
            "B": torch.cat([data["B"], columns.to(data["B"])], dim=1),
            "E": torch.cat([data["E"], values.to(data["E"])], dim=0),
        }

    def parameter_count(self, adapter: str) -> int:
        """Entries of the triplets in use: `r (in + out + 1)`."""
        return self.used(adapter) * (self.in_features + self.out_features + 1)

    def __repr__(self) -> str:
        return "increlora." + super().__repr__()
