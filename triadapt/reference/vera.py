"""VeRA, the slow way: dW = diag(b) B diag(d) A (arXiv 2310.11454)."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass
class VeraTwin:
    """Frozen A `(r, widest in)` and B `(widest out, r)` of all matrices; vectors b `(out)` and d `(r)` of each by name;
    how many inputs each has."""

    A: torch.Tensor
    B: torch.Tensor
    b: dict[str, torch.Tensor]
    d: dict[str, torch.Tensor]
    inputs: dict[str, int]

    def parameters(self) -> list[torch.Tensor]:
        """What is trained."""
        return [*self.b.values(), *self.d.values()]

    def deltas(self) -> dict[str, torch.Tensor]:
        """dW of each matrix, `(out, in)`: it takes the corner of A and B that it needs."""
        return {
            name: torch.diag(b) @ self.B[: len(b)] @ torch.diag(self.d[name]) @ self.A[:, : self.inputs[name]]
            for name, b in self.b.items()
        }
