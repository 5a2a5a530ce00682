"""IncreLoRA, the slow way: dW = s * sum of e_i b_i a_i, one tensor a triplet (arXiv 2308.12043)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

Scale = Literal["constant", "rank"]


@dataclass
class Triplet:
    """a `(1, in)`, e `(1, 1)`, b `(out, 1)`. In reserve, a and b train and e stands still."""

    a: torch.Tensor
    e: torch.Tensor
    b: torch.Tensor
    used: bool = True

    def parameters(self) -> list[torch.Tensor]:
        """What is trained."""
        return [self.a, self.b, self.e] if self.used else [self.a, self.b]

    def delta(self) -> torch.Tensor:
        """e b a, `(out, in)`."""
        e = self.e if self.used else self.e.detach()
        return self.b @ (self.a * e)


@dataclass
class IncreLoraTwin:
    """Triplets of each matrix by name, the oldest first; those in reserve come last.

    scale: `constant` is `alpha / reference_rank`; the authors' code divides alpha by the current `rank` plus 1e-5.
    """

    triplets: dict[str, list[Triplet]]
    alpha: float
    reference_rank: int
    beta1: float = 0.85
    beta2: float = 0.85
    scale: Scale = "constant"

    def __post_init__(self) -> None:
        self.score = dict.fromkeys(self.triplets, 0.0)
        self.average = dict.fromkeys(self.triplets, 0.0)
        self.uncertainty = dict.fromkeys(self.triplets, 0.0)
        self._deltas: dict[str, torch.Tensor] = {}

    def parameters(self) -> list[torch.Tensor]:
        """What is trained."""
        return [tensor for found in self.triplets.values() for triplet in found for tensor in triplet.parameters()]

    def rank(self, name: str) -> int:
        """Triplets of one matrix in use."""
        return sum(triplet.used for triplet in self.triplets[name])

    def ranks(self) -> dict[str, int]:
        """Rank of each matrix."""
        return {name: self.rank(name) for name in self.triplets}

    @property
    def target(self) -> int:
        """The budget: total rank at the end."""
        return self.reference_rank * len(self.triplets)

    @property
    def full(self) -> bool:
        """Whether the budget is reached."""
        return sum(self.ranks().values()) >= self.target

    def deltas(self) -> dict[str, torch.Tensor]:
        """dW of each matrix, `(out, in)`; their gradients are kept for `observe`."""
        self._deltas = {}
        for name, triplets in self.triplets.items():
            divisor = self.reference_rank if self.scale == "constant" else self.rank(name) + 1e-5
            delta = self.alpha / divisor * sum((triplet.delta() for triplet in triplets), torch.zeros(()))
            if delta.requires_grad:
                delta.retain_grad()
            self._deltas[name] = delta
        return dict(self._deltas)

    def observe(self) -> None:
        """After backward: sensitivity and uncertainty of each matrix. Does nothing once the budget is reached."""
        if self.full:
            return
        for name, delta in self._deltas.items():
            assert delta.grad is not None
            score = float((delta * delta.grad).detach().abs().sum()) / math.sqrt(delta.numel())
            average = self.beta1 * self.average[name] + (1 - self.beta1) * score
            distance = abs(score - average)
            self.score[name], self.average[name] = score, average
            self.uncertainty[name] = self.beta2 * self.uncertainty[name] + (1 - self.beta2) * distance

    def scores(self) -> dict[str, float]:
        """Importance of each matrix now."""
        return {name: self.average[name] * self.uncertainty[name] for name in self.triplets}

    def grow(self, chosen: list[str], gain: dict[str, int], born: Callable[[str], list[Triplet]]) -> None:
        """Put `gain[name]` reserve triplets of each chosen matrix in use and `born(name)` behind them in reserve; at
        the target all reserves are switched off."""
        for name in chosen:
            triplets = self.triplets[name]
            triplets += born(name)
            for triplet in [triplet for triplet in triplets if not triplet.used][: gain[name]]:
                triplet.used = True
        if self.full:
            for triplets in self.triplets.values():
                for triplet in triplets:
                    if not triplet.used:
                        triplet.e.data.zero_()

    def orthogonality(self) -> torch.Tensor:
        """Mean over the factors of `||A A' - I||_F` and `||B' B - I||_F`."""
        parts = []
        for triplets in self.triplets.values():
            A = torch.cat([triplet.a for triplet in triplets], dim=0)
            B = torch.cat([triplet.b for triplet in triplets], dim=1)
            one = torch.eye(len(A), dtype=A.dtype)
            parts += [(A @ A.T - one).norm(), (B.T @ B - one).norm()]
        return torch.stack(parts).mean()
