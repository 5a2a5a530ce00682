"""Drives PEFT's LoRA: the same rank for every matrix, for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from peft import LoraConfig, PeftConfig

from triadapt.methods.peft_run import PeftRun

if TYPE_CHECKING:
    from triadapt.config import AllocationConfig


class Run(PeftRun):
    """Plain LoRA (arXiv 2106.09685) at the reference rank."""

    @classmethod
    def peft_config(cls, config: AllocationConfig, targets: list[str]) -> PeftConfig:
        return LoraConfig(
            r=config.reference_rank,
            lora_alpha=config.alpha,
            lora_dropout=config.adapter_dropout,
            target_modules=targets,
            bias="none",
        )  # fmt: skip

    @classmethod
    def values_of(cls, config: PeftConfig) -> dict[str, Any]:
        return {"reference_rank": config.r, "alpha": config.lora_alpha}

    def ranks(self) -> NDArray[np.uint16]:
        return np.full(len(self.layers), self.config.reference_rank, np.uint16)

    def parameter_count(self) -> int:
        return sum(self.config.reference_rank * sum(matrix.shape) for matrix in self.matrices)

    def factors(self, index: int) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor, torch.Tensor]:
        layer = self.layers[index]
        B = layer.lora_B[self.adapter].weight * layer.scaling[self.adapter]
        return B, None, layer.lora_A[self.adapter].weight, torch.zeros(0)
