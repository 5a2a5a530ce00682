"""A pretrained model with a fresh head of two scores a token."""

from __future__ import annotations

import torch
from torch import nn


class SpanModel(nn.Module):
    """`forward(**inputs)` gives scores `(batch, tokens, 2)`, float32: how well each token begins and ends the answer.

    The head starts from weights drawn with `seed` alone, so two of the same seed are equal.
    """

    def __init__(self, encoder: nn.Module, hidden: int, seed: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.is_loaded_in_4bit = bool(getattr(encoder, "is_loaded_in_4bit", False))  # PEFT asks the whole model
        self.qa_outputs = nn.utils.skip_init(nn.Linear, hidden, 2)
        with torch.no_grad():
            self.qa_outputs.weight.normal_(0.0, 0.02, generator=torch.Generator().manual_seed(seed))
            self.qa_outputs.bias.zero_()

    def forward(self, **inputs: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.qa_outputs(self.encoder(**inputs).last_hidden_state.float())
        return scores.float()
