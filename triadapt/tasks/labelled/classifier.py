"""A pretrained model, pooled, with a fresh head."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import nn

from triadapt.errors import ConfigError
from triadapt.pretrained.places import is_decoder

Pooled = Literal["mean", "cls", "last", "pooler"]


class TextClassifier(nn.Module):
    """`forward(**inputs)` gives outputs `(batch, outputs)` for `input_ids` and `attention_mask` `(batch, tokens)`.

    The head starts from weights drawn with `seed` alone, so two of the same seed are equal. With `pooler` it has a
    trained layer of its own before the last, as the families' own classifiers have. dropout: rate before each of them.
    """

    def __init__(
        self, encoder: nn.Module, hidden: int, outputs: int, pooling: Pooled, seed: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.is_loaded_in_4bit = bool(getattr(encoder, "is_loaded_in_4bit", False))  # PEFT asks the whole model
        self.pooling = pooling
        self.hidden = hidden
        draw = torch.Generator().manual_seed(seed)
        last = _linear(hidden, outputs, draw)
        self.classifier: nn.Module = last
        if pooling == "pooler":
            family = str(getattr(getattr(encoder, "config", None), "model_type", ""))
            activation: nn.Module = nn.GELU() if family.startswith("deberta") else nn.Tanh()
            self.classifier = nn.Sequential(
                nn.Dropout(dropout), _linear(hidden, hidden, draw), activation, nn.Dropout(dropout), last
            )
        elif dropout:
            self.classifier = nn.Sequential(nn.Dropout(dropout), last)

    def forward(self, **inputs: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(**inputs))

    def features(self, **inputs: torch.Tensor) -> torch.Tensor:
        """One vector a row, `(batch, hidden)`, in the type of the head."""
        states = self.encoder(**inputs).last_hidden_state.float()
        mask = inputs["attention_mask"]
        if self.pooling in ("cls", "pooler"):
            return states[:, 0]
        if self.pooling == "last":  # rows are padded behind
            return states[torch.arange(len(states), device=states.device), mask.sum(1) - 1]
        weights = mask.unsqueeze(-1).to(states.dtype)
        return (states * weights).sum(1) / weights.sum(1)


def _linear(into: int, out: int, draw: torch.Generator) -> nn.Linear:
    layer = nn.utils.skip_init(nn.Linear, into, out)
    with torch.no_grad():
        layer.weight.normal_(0.0, 0.02, generator=draw)
        layer.bias.zero_()
    return layer


def pooling_of(wanted: str, config: Any, field: str) -> Pooled:
    """What `auto` means for a model: the mean, but the last token of a decoder, the only one that has seen them all.
    field: the setting, for errors. Raises ConfigError for a first token that has seen none."""
    decoder = is_decoder(config.model_type, getattr(config, "architectures", None) or [])
    if decoder and wanted in ("cls", "pooler"):
        told = f"{config.model_type} is a decoder, whose first token sees no other; take last or mean"
        raise ConfigError([f"{field} = {wanted!r}: {told}"])
    if wanted == "auto":
        return "last" if decoder else "mean"
    return wanted  # type: ignore[return-value]
