"""AdaLoRA, the slow way: dW = s * sum of e_i b_i a_i, triplets masked to a budget (arXiv 2303.10512)."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass
class Triplets:
    """All triplets of one matrix: A `(r, in)`, E `(r, 1)`, B `(out, r)`, r the rank at the start."""

    A: torch.Tensor
    E: torch.Tensor
    B: torch.Tensor

    def parameters(self) -> list[torch.Tensor]:
        """What is trained."""
        return [self.A, self.B, self.E]


@dataclass
class AdaLoraTwin:
    """Triplets of each matrix by name; the scale is `alpha / (start rank + 1e-5)`."""

    triplets: dict[str, Triplets]
    alpha: float
    beta1: float = 0.85
    beta2: float = 0.85

    def __post_init__(self) -> None:
        zeros = {name: [torch.zeros_like(p) for p in found.parameters()] for name, found in self.triplets.items()}
        self.average = {name: [part.clone() for part in parts] for name, parts in zeros.items()}
        self.uncertainty = {name: [part.clone() for part in parts] for name, parts in zeros.items()}
        self.kept = {name: torch.ones(len(found.E), dtype=torch.bool) for name, found in self.triplets.items()}

    def parameters(self) -> list[torch.Tensor]:
        """What is trained."""
        return [tensor for found in self.triplets.values() for tensor in found.parameters()]

    def ranks(self) -> dict[str, int]:
        """Triplets of each matrix kept at the last mask."""
        return {name: int(kept.sum()) for name, kept in self.kept.items()}

    def deltas(self) -> dict[str, torch.Tensor]:
        """dW of each matrix, `(out, in)`."""
        return {
            name: self.alpha / (len(found.E) + 1e-5) * found.B @ torch.diag(found.E.flatten()) @ found.A
            for name, found in self.triplets.items()
        }

    @torch.no_grad()
    def observe(self) -> None:
        """After the optimizer's step, gradients still there: sensitivity and uncertainty of every entry."""
        for name, found in self.triplets.items():
            for i, parameter in enumerate(found.parameters()):
                assert parameter.grad is not None
                score = (parameter * parameter.grad).abs()
                self.average[name][i] = self.beta1 * self.average[name][i] + (1 - self.beta1) * score
                distance = (score - self.average[name][i]).abs()
                self.uncertainty[name][i] = self.beta2 * self.uncertainty[name][i] + (1 - self.beta2) * distance

    def scores(self) -> dict[str, torch.Tensor]:
        """Score of every triplet of each matrix, `(r,)`: that of its e, the mean over its a, the mean over its b."""
        found = {}
        for name in self.triplets:
            A, B, E = (a * u for a, u in zip(self.average[name], self.uncertainty[name], strict=True))
            found[name] = E.flatten() + A.mean(dim=1) + B.mean(dim=0)
        return found

    @torch.no_grad()
    def mask(self, budget: int) -> None:
        """Keep the `budget` triplets with the largest scores of all matrices; e of the others becomes 0."""
        scores = self.scores()
        ordered = torch.cat(list(scores.values())).sort().values
        if budget >= len(ordered):
            return
        threshold = ordered[len(ordered) - budget - 1]
        for name, found in self.triplets.items():
            self.kept[name] = scores[name] > threshold
            found.E[~self.kept[name]] = 0.0

    def orthogonality(self) -> torch.Tensor:
        """Mean over the factors of `||A A' - I||_F` and `||B' B - I||_F`."""
        parts = []
        for found in self.triplets.values():
            one = torch.eye(len(found.A), dtype=found.A.dtype)
            parts += [(found.A @ found.A.T - one).norm(), (found.B.T @ found.B - one).norm()]
        return torch.stack(parts).mean()
