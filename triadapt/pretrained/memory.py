"""About how much memory a training takes, from the shapes of a model alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from triadapt.pretrained.look import ENCODER_OF_TWO, ModelLook
from triadapt.pretrained.places import Place
from triadapt.pretrained.settings import Weights

BYTES: dict[Weights, float] = {"float32": 4, "bfloat16": 2, "4-bit": 0.53}
"""Of a weight. In 4 bits NF4 with quantised scales; what is outside the blocks stays in float32."""
OF_ONE_LOGIT = 12
"""The logit, its logarithmic probability and its gradient, in float32."""
OF_ONE_TRAINED = 16
"""Weight, gradient and the two moments of AdamW, in float32."""


@dataclass(frozen=True)
class Memory:
    """Bytes: of the frozen weights, of what is trained with its optimizer, and of one step's activations. Each method
    of a race has all three but the last."""

    weights: int
    trained: int
    activations: int

    def of_race(self, methods: int) -> int:
        """Bytes for so many methods side by side, and the model as it came, of which each has a copy."""
        return self.weights + (self.weights + self.trained) * methods + self.activations


def estimate(
    look: ModelLook, adapted: Sequence[Place], *, weights: Weights, rank: int, batch_size: int, tokens: int,
    causal: bool = False,
) -> Memory:  # fmt: skip
    """About what one method takes with `rank` ranks a matrix, batches of `batch_size` rows of `tokens` tokens.
    causal: each token is scored against the whole vocabulary.

    Activations are counted as what linear layers take in and give out, in float32, and a quarter more: MiniLM was seen
    to keep 0.68 MB of them for each thousand tokens and layer, this says 0.84.
    """
    kept = "down" if weights == "4-bit" and look.model_type in ENCODER_OF_TWO else None  # by transformers, in float32
    inside = sum(place.shape[0] * place.shape[1] for place in look.places if place.module != kept)
    outside = max(0, look.parameters - inside - (0 if causal else look.logits))
    held = inside * BYTES[weights] + outside * (4 if weights == "4-bit" else BYTES[weights])
    entries = sum(rank * sum(place.shape) + 2 * rank * rank for place in adapted)
    through = sum(sum(place.shape) for place in look.places)
    of_token = through * 4 * 1.25 + (look.vocabulary * OF_ONE_LOGIT if causal else 0)
    return Memory(int(held), entries * OF_ONE_TRAINED, int(batch_size * tokens * of_token))
