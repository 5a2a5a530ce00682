"""QLoRA's rounding, the slow way: every weight to the nearest of 16 levels times the largest of its block
(arXiv 2305.14314). LoRA over it is `LoraTwin` over the rounded weights."""

from __future__ import annotations

import torch

BLOCK = 64
"""Weights that share a scale."""
OUTERMOST = 0.9677083
"""Share of a normal distribution below the outermost level: halfway between 1 - 1/30 and 1 - 1/32, which splits the
tail evenly over 7 levels above zero and 8 below."""


def nf4_levels() -> torch.Tensor:
    """The 16 levels in [-1, 1], `(16,)`, smallest first: quantiles of a normal distribution, 8 of them above zero and 7
    below, and zero itself, over the largest."""
    above = torch.special.ndtri(torch.linspace(OUTERMOST, 0.5, 9, dtype=torch.float64)[:-1])
    below = -torch.special.ndtri(torch.linspace(OUTERMOST, 0.5, 8, dtype=torch.float64)[:-1])
    levels = torch.cat([above, torch.zeros(1, dtype=torch.float64), below]).sort().values
    return levels / levels.abs().max()


def rounded_to_nf4(weight: torch.Tensor) -> torch.Tensor:
    """`weight` of any shape, row after row in blocks of 64, each weight at the nearest level of its block."""
    levels, found = nf4_levels(), []
    for block in torch.split(weight.double().flatten(), BLOCK):
        scale = block.abs().max()
        found.append(torch.stack([levels[(w / scale - levels).abs().argmin()] * scale for w in block]))
    return torch.cat(found).reshape(weight.shape).to(weight.dtype)
