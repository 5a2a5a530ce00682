"""AdaMSS, the slow way: dW = sum over subspaces of S B A P, and which of them are frozen."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch


@dataclass
class Subspace:
    """One group of outputs. rows: which. A `(r, R)` and B `(len(rows), r)` are trained as long as it is live.

    The importance of an entry is a moving average of |weight times gradient|, its uncertainty one of how far that was
    from the average so far.
    """

    rows: list[int]
    A: torch.Tensor
    B: torch.Tensor
    live: bool = True
    importance: dict[str, torch.Tensor] = field(default_factory=dict)
    uncertainty: dict[str, torch.Tensor] = field(default_factory=dict)

    def score(self) -> float:
        """Mean of importance times uncertainty, of A and of B, added; 0 of what is frozen."""
        if not self.live:
            return 0.0
        return sum(float((self.importance[part] * self.uncertainty[part]).mean()) for part in ("A", "B"))

    def observe(self, importance_beta: float, uncertainty_beta: float) -> None:
        """Take in the gradients of one step."""
        for part in ("A", "B"):
            weight = getattr(self, part)
            now = (weight * weight.grad).abs().detach()
            before = self.importance.get(part, torch.zeros_like(now))
            spread = self.uncertainty.get(part, torch.zeros_like(now))
            self.uncertainty[part] = uncertainty_beta * spread + (1 - uncertainty_beta) * (now - before).abs()
            self.importance[part] = importance_beta * before + (1 - importance_beta) * now


@dataclass
class AdamssTwin:
    """P `(R, in)` of each matrix by name, frozen, and its subspaces."""

    P: dict[str, torch.Tensor]
    subspaces: dict[str, list[Subspace]]
    importance_beta: float
    uncertainty_beta: float

    def all(self) -> list[Subspace]:
        """The subspaces of all matrices, matrix after matrix."""
        return [subspace for subspaces in self.subspaces.values() for subspace in subspaces]

    def parameters(self) -> list[torch.Tensor]:
        """What is trained until it is frozen."""
        return [part for subspace in self.all() for part in (subspace.A, subspace.B)]

    def ranks(self) -> dict[str, int]:
        """Rank of each matrix that still trains."""
        return {name: sum(len(one.A) for one in found if one.live) for name, found in self.subspaces.items()}

    def deltas(self) -> dict[str, torch.Tensor]:
        """dW of each matrix, `(out, in)`."""
        return {
            name: sum(
                (
                    torch.eye(sum(len(one.rows) for one in found), dtype=one.B.dtype)[:, one.rows]
                    @ one.B
                    @ one.A
                    @ self.P[name]
                    for one in found
                ),
                torch.zeros(()),
            )
            for name, found in self.subspaces.items()
        }

    def observe(self) -> None:
        """Take in the gradients of one step."""
        for subspace in self.all():
            if subspace.live:
                subspace.observe(self.importance_beta, self.uncertainty_beta)

    def scores(self) -> list[float]:
        """Importance of each subspace."""
        return [subspace.score() for subspace in self.all()]

    def freeze(self, allowed: int) -> None:
        """Leave the `allowed` most important live subspaces training, the first of equals."""
        for subspace in sorted((one for one in self.all() if one.live), key=lambda one: -one.score())[allowed:]:
            subspace.live = False
            for part in (subspace.A, subspace.B):
                part.requires_grad_(False)
                part.grad = None

    def forget(self) -> None:
        """Begin to gather importance anew."""
        for subspace in self.all():
            subspace.importance, subspace.uncertainty = {}, {}
