"""A pretrained encoder, pooled, with a fresh linear head."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn


class TextClassifier(nn.Module):
    """`forward(**inputs)` gives logits `(batch, classes)` for `input_ids` and `attention_mask` `(batch, tokens)`.

    The head starts from weights drawn with `seed` alone, so two classifiers of the same seed are equal.
    """

    def __init__(
        self, encoder: nn.Module, hidden: int, classes: int, pooling: Literal["mean", "cls"], seed: int
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.pooling = pooling
        self.classifier = nn.utils.skip_init(nn.Linear, hidden, classes)
        with torch.no_grad():
            self.classifier.weight.normal_(0.0, 0.02, generator=torch.Generator().manual_seed(seed))
            self.classifier.bias.zero_()

    def forward(self, **inputs: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(**inputs))

    def features(self, **inputs: torch.Tensor) -> torch.Tensor:
        """One vector a row, `(batch, hidden)`: the mean over real tokens, or the first token's state."""
        states = self.encoder(**inputs).last_hidden_state
        if self.pooling == "cls":
            return states[:, 0]
        mask = inputs["attention_mask"].unsqueeze(-1).to(states.dtype)
        return (states * mask).sum(1) / mask.sum(1)
