"""The TriAdaptLoRA layer: dW = s * B (L + U) A (arXiv 2501.08008, section 3).

L and U are stored as square matrices; masks keep the entries outside the block triangles at zero. Diagonal blocks stand
in both parts.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from peft.tuners._buffer_dict import BufferDict
from torch import nn

from triadapt.methods.fused_linear import Core
from triadapt.methods.tuner_layer import GrowingLayer

DRAWN_STD = 0.02


def block_lower_mask(blocks: list[int]) -> torch.Tensor:
    """Mask `(r, r)` of L: for each block its rows from column 0 to the end of its own diagonal block."""
    rank = sum(blocks)
    mask = torch.zeros(rank, rank)
    end = 0
    for size in blocks:
        mask[end : end + size, : end + size] = 1
        end += size
    return mask


class TriangularCore:
    """L + U `(r, r)` of two square matrices, of which the entries outside the block triangles do not count; `mask` is
    that of L, and transposed that of U."""

    def __init__(self, mask: torch.Tensor) -> None:
        self.mask = mask

    def value(self, *trained: torch.Tensor) -> torch.Tensor:
        L, U = trained
        return torch.addcmul(L * self.mask, U, self.mask.T)

    def gradients(self, gradient: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return gradient * self.mask, gradient * self.mask.T


class TriAdaptLinear(GrowingLayer):
    """A linear layer with TriAdaptLoRA adapters. Shapes: A `(r, in)`, B `(out, r)`, L and U `(r, r)`."""

    adapter_layer_names = ("triadaptlora_A", "triadaptlora_B", "triadaptlora_L", "triadaptlora_U")
    other_param_names = (
        "scaling", "scale_rule", "init", "triadaptlora_blocks", "triadaptlora_mask", "adapter_dropout",
    )  # fmt: skip

    def __init__(self, base_layer: nn.Module, adapter_name: str, config: Any, **_: Any) -> None:
        super().__init__(base_layer, config.fan_in_fan_out)
        self.triadaptlora_A = nn.ParameterDict({})
        self.triadaptlora_B = nn.ParameterDict({})
        self.triadaptlora_L = nn.ParameterDict({})
        self.triadaptlora_U = nn.ParameterDict({})
        # Block sizes are saved with the weights: shapes alone do not tell where one block ends.
        self.triadaptlora_blocks = BufferDict({}, persistent=True)
        self.triadaptlora_mask = BufferDict({}, persistent=False)
        self.init: dict[str, str] = {}
        self._active_adapter = adapter_name
        self.update_layer(adapter_name, config)

    def update_layer(self, adapter_name: str, config: Any) -> None:
        """Add an adapter of rank `config.init_r` with dW = 0."""
        self.scale_rule[adapter_name] = (config.scale, config.alpha, config.reference_rank)
        self.init[adapter_name] = config.init
        self.set_dropout(adapter_name, config.dropout)
        self._allocate(adapter_name, [config.init_r])
        block = self.draw_block(adapter_name, 0, config.init_r, None)
        with torch.no_grad():
            for name, values in block.items():
                getattr(self, f"triadaptlora_{name}")[adapter_name].copy_(values)
            if config.init == "gaussian":
                self.triadaptlora_B[adapter_name].zero_()
        self._move_adapter_to_device_of_base_layer(adapter_name)
        self.set_adapter(self.active_adapters, inference_mode=config.inference_mode)

    def draw_block(
        self, adapter: str, old: int, gain: int, generator: torch.Generator | None
    ) -> dict[str, torch.Tensor]:
        """Values of a block that takes the rank from `old` to `old + gain`: A `(gain, in)`, B `(out, gain)`, the new
        rows of L `(gain, rank)` and the new columns of U `(rank, gain)`; the diagonal block stands in both."""
        rank, init = old + gain, self.init[adapter]
        if init == "identity":
            bound = 1 / math.sqrt(self.in_features)
            A = torch.empty(gain, self.in_features).uniform_(-bound, bound, generator=generator)
            B, L, U = torch.zeros(self.out_features, gain), torch.zeros(gain, rank), torch.zeros(rank, gain)
            L[:, old:] = torch.eye(gain)
            return {"A": A, "B": B, "L": L, "U": U}
        drawn = {
            name: torch.empty(shape).normal_(0, DRAWN_STD, generator=generator)
            for name, shape in {"A": (gain, self.in_features), "B": (self.out_features, gain), "L": (gain, rank),
                                "U": (rank, gain)}.items()
        }  # fmt: skip
        if init == "eye":
            return drawn | {
                "B": torch.zeros(self.out_features, gain),
                "L": torch.eye(gain, rank),
                "U": torch.eye(rank, gain),
            }
        no_core = {"L": torch.zeros(gain, rank), "U": torch.zeros(rank, gain)}
        if init == "zero_core":
            return drawn | no_core
        if init == "zero":
            return drawn | no_core | {"B": torch.zeros(self.out_features, gain)}
        return drawn

    def _allocate(self, adapter: str, blocks: list[int]) -> None:
        rank = sum(blocks)
        self.set_blocks(adapter, blocks, torch.zeros(0))
        self.triadaptlora_A[adapter] = nn.Parameter(torch.zeros(rank, self.in_features))
        self.triadaptlora_B[adapter] = nn.Parameter(torch.zeros(self.out_features, rank))
        self.triadaptlora_L[adapter] = nn.Parameter(torch.zeros(rank, rank))
        self.triadaptlora_U[adapter] = nn.Parameter(torch.zeros(rank, rank))

    def resize(self, adapter: str, blocks: list[int]) -> None:
        """Make room for `blocks`; values are left to whoever loads them. Parameters stay the same objects."""
        rank = sum(blocks)
        like = self.triadaptlora_A[adapter].data
        self.set_blocks(adapter, blocks, like)
        self.triadaptlora_A[adapter].data = like.new_zeros(rank, self.in_features)
        self.triadaptlora_B[adapter].data = like.new_zeros(self.out_features, rank)
        self.triadaptlora_L[adapter].data = like.new_zeros(rank, rank)
        self.triadaptlora_U[adapter].data = like.new_zeros(rank, rank)

    def set_blocks(self, adapter: str, blocks: list[int], like: torch.Tensor) -> None:
        """Record the block sizes and make the masks of L (and, transposed, of U)."""
        device = self.place(like)
        self.triadaptlora_blocks[adapter] = torch.tensor(blocks, device=device)
        self.triadaptlora_mask[adapter] = block_lower_mask(blocks).to(device, like.dtype)
        self.set_scale(adapter, rank=sum(blocks), blocks=len(blocks))

    def blocks(self, adapter: str) -> list[int]:
        """Sizes of the blocks grown so far, the first one included."""
        return [int(size) for size in self.triadaptlora_blocks[adapter]]

    def core(self, adapter: str) -> torch.Tensor:
        """The transformation matrix L + U, `(r, r)`."""
        core = TriangularCore(self.triadaptlora_mask[adapter])
        return core.value(self.triadaptlora_L[adapter], self.triadaptlora_U[adapter])

    def parts(self, adapter: str) -> tuple[torch.Tensor, torch.Tensor, Core, tuple[torch.Tensor, ...]]:
        A, B = self.triadaptlora_A[adapter], self.triadaptlora_B[adapter]
        core = TriangularCore(self.triadaptlora_mask[adapter])
        return A, B, core, (self.triadaptlora_L[adapter], self.triadaptlora_U[adapter])

    def delta(self, adapter: str) -> torch.Tensor:
        A, B = self.triadaptlora_A[adapter], self.triadaptlora_B[adapter]
        return self.scaling[adapter] * (B @ self.core(adapter) @ A)

    def lora_factors(self, adapter: str) -> tuple[torch.Tensor, torch.Tensor]:
        A, B = self.triadaptlora_A[adapter], self.triadaptlora_B[adapter]
        return A, self.scaling[adapter] * (B @ self.core(adapter))

    def grown(self, adapter: str, gain: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Values after growing by a block of `gain`: the larger data of A, B, L and U by name, old values in the
        leading part. With init `identity`, dW stays what it is and the new block has a gradient."""
        data = {name: getattr(self, f"triadaptlora_{name}")[adapter].data for name in "ABLU"}
        old = data["A"].shape[0]
        rank = old + gain
        block = {name: values.to(data[name]) for name, values in self.draw_block(adapter, old, gain, generator).items()}
        L, U = data["L"].new_zeros(rank, rank), data["U"].new_zeros(rank, rank)
        L[:old, :old], U[:old, :old] = data["L"], data["U"]
        L[old:, :], U[:, old:] = block["L"], block["U"]
        A, B = torch.cat([data["A"], block["A"]], dim=0), torch.cat([data["B"], block["B"]], dim=1)
        return {"A": A, "B": B, "L": L, "U": U}

    def parameter_count(self, adapter: str) -> int:
        """Entries in use: `r (in + out) + 2 * sum(block_i * rank after block i)`."""
        blocks = self.blocks(adapter)
        rank, triangle, end = sum(blocks), 0, 0
        for size in blocks:
            end += size
            triangle += size * end
        return rank * (self.in_features + self.out_features) + 2 * triangle

    def __repr__(self) -> str:
        return "triadaptlora." + super().__repr__()
