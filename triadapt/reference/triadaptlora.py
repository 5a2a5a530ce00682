"""TriAdaptLoRA, the slow way: dW = s * B (L + U) A, put together from its blocks (arXiv 2501.08008)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

Scale = Literal["constant", "rank", "blocks"]


@dataclass
class Block:
    """One growth of a matrix by g ranks to rank r: A `(g, in)`, B `(out, g)`, the new block row of L `(g, r)` and the
    new block column of U `(r, g)`. The diagonal block stands in both."""

    A: torch.Tensor
    B: torch.Tensor
    row: torch.Tensor
    column: torch.Tensor

    def parameters(self) -> list[torch.Tensor]:
        """What is trained."""
        return [self.A, self.B, self.row, self.column]


@dataclass
class TriAdaptLoraTwin:
    """Blocks of each matrix by name, the oldest first.

    scale: `constant` is `alpha / reference_rank`; the authors' code divides alpha by the current `rank` or the number
    of `blocks`, each plus 1e-5. previous: normalised norms at the last event, as importance is their rise since.
    """

    blocks: dict[str, list[Block]]
    alpha: float
    reference_rank: int
    scale: Scale = "constant"

    def __post_init__(self) -> None:
        self.previous = {name: self.norm(name) for name in self.blocks}

    def parameters(self) -> list[torch.Tensor]:
        """What is trained."""
        return [tensor for blocks in self.blocks.values() for block in blocks for tensor in block.parameters()]

    def rank(self, name: str) -> int:
        """Current rank of one matrix."""
        return sum(len(block.A) for block in self.blocks[name])

    def ranks(self) -> dict[str, int]:
        """Rank of each matrix."""
        return {name: self.rank(name) for name in self.blocks}

    def core(self, name: str) -> torch.Tensor:
        """L + U of one matrix, `(r, r)`."""
        rank = self.rank(name)
        L, U = [], []
        for block in self.blocks[name]:
            size, end = block.row.shape
            L.append(torch.cat([block.row, block.row.new_zeros(size, rank - end)], dim=1))
            U.append(torch.cat([block.column, block.column.new_zeros(rank - end, size)], dim=0))
        return torch.cat(L, dim=0) + torch.cat(U, dim=1)

    def factor(self, name: str) -> float:
        """The scale of one matrix."""
        divisor = {"constant": self.reference_rank, "rank": self.rank(name) + 1e-5,
                   "blocks": len(self.blocks[name]) + 1e-5}  # fmt: skip
        return self.alpha / divisor[self.scale]

    def deltas(self) -> dict[str, torch.Tensor]:
        """dW of each matrix, `(out, in)`."""
        found = {}
        for name, blocks in self.blocks.items():
            A = torch.cat([block.A for block in blocks], dim=0)
            B = torch.cat([block.B for block in blocks], dim=1)
            found[name] = self.factor(name) * B @ self.core(name) @ A
        return found

    def norm(self, name: str) -> float:
        """`||L + U||_F / m`, m the number of blocks."""
        return float(self.core(name).detach().norm()) / len(self.blocks[name])

    def scores(self) -> dict[str, float]:
        """Importance of each matrix now."""
        return {name: self.norm(name) - self.previous[name] for name in self.blocks}

    def event(self, chosen: list[str], born: Callable[[str], list[Block]]) -> None:
        """Take note of the norms, then add the blocks `born(name)` to each chosen matrix."""
        self.previous = {name: self.norm(name) for name in self.blocks}
        for name in chosen:
            self.blocks[name] += born(name)
