"""LoHa, the slow way: dW = alpha / r * (B1 A1) * (B2 A2), entry by entry (arXiv 2108.06098)."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass
class LohaTwin:
    """Both pairs B `(out, r)` and A `(r, in)` of each matrix by name; alpha of the scale `alpha / r`."""

    B1: dict[str, torch.Tensor]
    A1: dict[str, torch.Tensor]
    B2: dict[str, torch.Tensor]
    A2: dict[str, torch.Tensor]
    alpha: float

    def parameters(self) -> list[torch.Tensor]:
        """What is trained."""
        return [part for parts in (self.B1, self.A1, self.B2, self.A2) for part in parts.values()]

    def deltas(self) -> dict[str, torch.Tensor]:
        """dW of each matrix, `(out, in)`."""
        return {
            name: self.alpha / len(A1) * torch.mul(self.B1[name] @ A1, self.B2[name] @ self.A2[name])
            for name, A1 in self.A1.items()
        }
