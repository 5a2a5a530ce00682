"""What a model keeps in memory without training it."""

from __future__ import annotations

from torch import nn

from triadapt.methods.four_bit import held_beside


def frozen_bytes(model: nn.Module) -> int:
    """Bytes of the numbers that are not trained, random projections of an adapter and the scales of weights in 4 bits
    among them; a tensor that several modules hold counts once."""
    frozen = [p for p in model.parameters() if not p.requires_grad]
    beside = [tensor for p in frozen for tensor in held_beside(p)]
    held = {p.data_ptr(): p.numel() * p.element_size() for p in [*frozen, *model.buffers(), *beside]}
    return sum(held.values())
