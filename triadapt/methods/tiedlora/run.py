"""Drives Tied-LoRA through a training session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from peft import PeftConfig

from triadapt.methods.peft_run import PeftRun
from triadapt.methods.tiedlora.config import TiedLoraConfig
from triadapt.methods.tiedlora.layer import PARTS
from triadapt.methods.tiedlora.settings import Settings

if TYPE_CHECKING:
    from triadapt.config import AllocationConfig


class Run(PeftRun):
    """Tied-LoRA at one rank. The scale of the update is `alpha / reference_rank`, whatever the rank of the pair."""

    @classmethod
    def peft_config(cls, config: AllocationConfig, targets: list[str]) -> PeftConfig:
        settings = config.method_settings
        assert isinstance(settings, Settings)
        rank = settings.rank_of(config)
        return TiedLoraConfig(
            r=rank,
            alpha=config.alpha / config.reference_rank * rank,
            trains=settings.trains,
            projection_seed=config.seed,
            dropout=config.adapter_dropout,
            target_modules=targets,
        )

    @classmethod
    def values_of(cls, config: PeftConfig) -> dict[str, Any]:
        return {"reference_rank": config.r, "alpha": config.alpha, "tiedlora": {"trains": config.trains}}

    def ranks(self) -> NDArray[np.uint16]:
        return np.array([layer.rank(self.adapter) for layer in self.layers], np.uint16)

    def parameter_count(self) -> int:
        """What is trained, shared factors once."""
        held = {getattr(layer, name)[self.adapter].weight for layer in self.layers for name in PARTS.values()}
        return sum(p.numel() for p in held if p.requires_grad)

    def factors(self, index: int) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor, torch.Tensor]:
        A, B = self.layers[index].lora_factors(self.adapter)
        return B, None, A, torch.zeros(0)

    def shared(self) -> list[list[int]]:
        groups: dict[int, list[int]] = {}
        for index, layer in enumerate(self.layers):
            groups.setdefault(id(layer.tiedlora_A[self.adapter]), []).append(index)
        return [group for group in groups.values() if len(group) > 1]
