"""The IncreLoRA tuner."""

from __future__ import annotations

from typing import Any

import torch

from triadapt.methods.increlora.layer import IncreLinear
from triadapt.methods.tuner_model import GrowingModel


class IncreLoraModel(GrowingModel):
    """Adapts linear layers by `s * B diag(E) A` with ranks that grow (arXiv 2308.12043)."""

    prefix: str = "increlora_"
    tuner_layer_cls = IncreLinear
    layer_class = IncreLinear

    @classmethod
    def resize_for_load(
        cls, layer: Any, adapter: str, rows: int, state_dict: dict[str, torch.Tensor], path: str
    ) -> None:
        """The number of triplets in use is saved beside them; reserve triplets are off in a loaded adapter."""
        used = state_dict.get(f"{path}.{cls.prefix}used.{adapter}", torch.tensor([rows]))
        layer.resize(adapter, rows, int(used))
