"""LoRA, the slow way: dW = alpha / r * B A (arXiv 2106.09685)."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass
class LoraTwin:
    """A `(r, in)` and B `(out, r)` of each matrix by name; alpha of the scale `alpha / r`."""

    A: dict[str, torch.Tensor]
    B: dict[str, torch.Tensor]
    alpha: float

    def parameters(self) -> list[torch.Tensor]:
        """What is trained."""
        return [*self.A.values(), *self.B.values()]

    def ranks(self) -> dict[str, int]:
        """Rank of each matrix."""
        return {name: len(A) for name, A in self.A.items()}

    def deltas(self) -> dict[str, torch.Tensor]:
        """dW of each matrix, `(out, in)`."""
        return {name: self.alpha / len(A) * self.B[name] @ A for name, A in self.A.items()}
