"""The TriAdaptLoRA tuner."""

from __future__ import annotations

from typing import Any

import torch

from triadapt.methods.triadaptlora.layer import TriAdaptLinear
from triadapt.methods.tuner_model import GrowingModel


class TriAdaptLoraModel(GrowingModel):
    """Adapts linear layers by `s * B (L + U) A` with ranks that grow (arXiv 2501.08008)."""

    prefix: str = "triadaptlora_"
    tuner_layer_cls = TriAdaptLinear
    layer_class = TriAdaptLinear

    @classmethod
    def resize_for_load(
        cls, layer: Any, adapter: str, rows: int, state_dict: dict[str, torch.Tensor], path: str
    ) -> None:
        """Take the block sizes from the saved tensors; an adapter without them counts as one block."""
        blocks = state_dict.get(f"{path}.{cls.prefix}blocks.{adapter}", torch.tensor([rows]))
        layer.resize(adapter, [int(size) for size in blocks])
