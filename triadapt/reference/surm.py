"""SURM, the slow way: dW = alpha / sqrt(in) * M, the structured matrix M put down entry by entry (arXiv 2406.17740)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

Parts = dict[str, torch.Tensor]


@dataclass
class SurmTwin:
    """The parts of each matrix by name: c `(n,)` of a circulant, t `(n,)` of a symmetric Toeplitz matrix, g and h
    `(k, n)` of k products, or P and Q of a Kronecker product. shapes: `(out, in)` of each matrix."""

    parts: dict[str, Parts]
    shapes: dict[str, tuple[int, int]]
    alpha: float

    def parameters(self) -> list[torch.Tensor]:
        """What is trained."""
        return [part for parts in self.parts.values() for part in parts.values()]

    def deltas(self) -> dict[str, torch.Tensor]:
        """dW of each matrix, `(out, in)`."""
        return {
            name: self.alpha / math.sqrt(self.shapes[name][1]) * structured(parts, *self.shapes[name])
            for name, parts in self.parts.items()
        }


def structured(parts: Parts, out: int, features: int) -> torch.Tensor:
    """M `(out, in)`: the leading corner of a square matrix, but for a Kronecker product, which has its size."""
    if "P" in parts:
        return kronecker(parts["P"], parts["Q"])
    if "c" in parts:
        whole = circulant(parts["c"])
    elif "t" in parts:
        whole = toeplitz(parts["t"])
    else:
        products = [circulant(g) @ skew_circulant(h) for g, h in zip(parts["g"], parts["h"], strict=True)]
        whole = torch.stack(products).sum(0)
    return whole[:out, :features]


def circulant(c: torch.Tensor) -> torch.Tensor:
    """`M[i, j] = c[(i - j) mod n]`."""
    n = range(len(c))
    return torch.stack([c[[(i - j) % len(c) for j in n]] for i in n])


def skew_circulant(h: torch.Tensor) -> torch.Tensor:
    """`M[i, j] = h[i - j]`, and `-h[n + i - j]` above the diagonal."""
    n = range(len(h))
    signs = h.new_tensor([[1.0 if i >= j else -1.0 for j in n] for i in n])
    return signs * circulant(h)


def toeplitz(t: torch.Tensor) -> torch.Tensor:
    """`M[i, j] = t[|i - j|]`."""
    n = range(len(t))
    return torch.stack([t[[abs(i - j) for j in n]] for i in n])


def kronecker(P: torch.Tensor, Q: torch.Tensor) -> torch.Tensor:
    """Q times every entry of P, in place of that entry."""
    return torch.cat([torch.cat([entry * Q for entry in row], dim=1) for row in P], dim=0)
