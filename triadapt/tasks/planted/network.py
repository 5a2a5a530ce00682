"""The small frozen transformer of the planted-rank task."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

MODULES = ("q", "k", "v", "o", "up", "down")


class Block(nn.Module):
    """Pre-norm attention and feed-forward over `(batch, tokens, width)`, six linear layers, no bias, no causal mask."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width, bias=False)
        self.k = nn.Linear(width, width, bias=False)
        self.v = nn.Linear(width, width, bias=False)
        self.o = nn.Linear(width, width, bias=False)
        self.up = nn.Linear(width, 2 * width, bias=False)
        self.down = nn.Linear(2 * width, width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normed = F.layer_norm(x, x.shape[-1:])
        split = (*x.shape[:-1], self.heads, x.shape[-1] // self.heads)
        q, k, v = (layer(normed).view(split).transpose(1, 2) for layer in (self.q, self.k, self.v))
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape)
        x = x + self.o(mixed)
        return x + self.down(F.gelu(self.up(F.layer_norm(x, x.shape[-1:]))))


class Network(nn.Module):
    """A stack of blocks from `(batch, tokens, width)` to the same shape."""

    def __init__(self, blocks: int, width: int, heads: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(blocks))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = block(x)
        return F.layer_norm(x, x.shape[-1:])


def initialise(network: Network, generator: torch.Generator) -> None:
    """Normal weights of deviation `1 / sqrt(in)` and no gradients."""
    for parameter in network.parameters():
        with torch.no_grad():
            parameter.normal_(0, parameter.shape[1] ** -0.5, generator=generator)
        parameter.requires_grad_(False)
