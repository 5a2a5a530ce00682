"""Tied-LoRA, the slow way: dW = s * diag(v) B diag(u) A, B and A those of the matrix's shape (arXiv 2311.09578)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

Shape = tuple[int, int]


@dataclass
class TiedLoraTwin:
    """One pair for each shape `(out, in)`: A `(r, in)` and B `(out, r)`. For each matrix by name its shape, u `(r,)`
    and v `(out,)`.

    scale: s. trains: the letters of vBuA that are trained.
    """

    A: dict[Shape, torch.Tensor]
    B: dict[Shape, torch.Tensor]
    shape: dict[str, Shape]
    u: dict[str, torch.Tensor]
    v: dict[str, torch.Tensor]
    scale: float
    trains: str = "vBuA"

    def parameters(self) -> list[torch.Tensor]:
        """What is trained, each shared matrix once."""
        held = {"v": self.v, "B": self.B, "u": self.u, "A": self.A}
        return [tensor for letter in self.trains for tensor in held[letter].values()]  # type: ignore[attr-defined]

    def ranks(self) -> dict[str, int]:
        """Rank of each matrix."""
        return {name: len(u) for name, u in self.u.items()}

    def delta(self, name: str) -> torch.Tensor:
        """dW of one matrix, `(out, in)`."""
        A, B = self.A[self.shape[name]], self.B[self.shape[name]]
        return self.scale * torch.diag(self.v[name]) @ B @ torch.diag(self.u[name]) @ A

    def deltas(self) -> dict[str, torch.Tensor]:
        """dW of each matrix, `(out, in)`."""
        return {name: self.delta(name) for name in self.shape}
