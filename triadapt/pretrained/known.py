"""Shapes of a few models that everybody uses, for plans made before anything was asked of the hub."""

from __future__ import annotations

from triadapt.pretrained.places import Place

BASE = (12, 768)
"""Blocks and width."""
SIX_A_BLOCK = {
    "minilm": (6, 384),
    "sentence-transformers/all-MiniLM-L6-v2": (6, 384),
    "microsoft/deberta-v3-base": BASE,
    "google-bert/bert-base-uncased": BASE,
    "bert-base-uncased": BASE,
    "FacebookAI/roberta-base": BASE,
    "roberta-base": BASE,
    "distilbert/distilbert-base-uncased": (6, 768),
}


def known_places(model: str) -> list[Place] | None:
    """The places of a model of this list, six a block, in order."""
    if model not in SIX_A_BLOCK:
        return None
    blocks, d = SIX_A_BLOCK[model]
    shapes = {"q": (d, d), "k": (d, d), "v": (d, d), "o": (d, d), "up": (4 * d, d), "down": (d, 4 * d)}
    return [Place(f"{i}.{module}", i, module, shape) for i in range(blocks) for module, shape in shapes.items()]
