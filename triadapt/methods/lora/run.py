"""Drives PEFT's LoRA: ranks that never change, the same for every matrix or placed by an oracle."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from peft import LoraConfig, PeftConfig
from peft.tuners.lora import LoraLayer

from triadapt.methods.lora.placement import planted_ranks
from triadapt.methods.lora.settings import UNKNOWN
from triadapt.methods.peft_run import PeftRun

if TYPE_CHECKING:
    from triadapt.config import AllocationConfig
    from triadapt.events import Matrix


class Run(PeftRun):
    """Plain LoRA (arXiv 2106.09685) at the reference rank.

    With `lora.where = "planted"` the same total rank sits on the matrices that carry a planted change; the others have
    no adapter, and their `layers` are those of the base model. dW is `alpha / reference_rank * B A` for every matrix,
    whatever its rank, as in the run that spreads its ranks evenly and as growing methods scale it by default: so the
    two differ only in where rank is, and in the parameters that follow from it. (LoRA's own `alpha / r` would weaken
    what got more rank.)
    """

    @classmethod
    def config_for(cls, config: AllocationConfig, matrices: list[Matrix]) -> PeftConfig:
        settings: Any = config.method_settings
        if settings.where == "even":
            return super().config_for(config, matrices)
        planted = [matrix.planted_rank for matrix in matrices if matrix.planted_rank is not None]
        if len(planted) < len(matrices):
            raise ValueError(UNKNOWN)
        budget = config.reference_rank * len(matrices)
        ranks = planted_ranks(budget, planted, [min(matrix.shape) for matrix in matrices])
        placed = {matrix.name: int(rank) for matrix, rank in zip(matrices, ranks, strict=True) if rank}
        if not placed:
            raise ValueError("lora.where = 'planted': nothing is planted; use even")
        peft_config = cls.peft_config(config, list(placed))
        scale = config.alpha / config.reference_rank
        # PEFT reads the keys as regular expressions that end a module's name, and divides each alpha by its rank.
        exact = {f"^{re.escape(name)}": rank for name, rank in placed.items()}
        peft_config.rank_pattern = exact
        peft_config.alpha_pattern = {key: scale * rank for key, rank in exact.items()}
        return peft_config

    @classmethod
    def peft_config(cls, config: AllocationConfig, targets: list[str]) -> LoraConfig:
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
        return np.array([layer.r[self.adapter] if self._adapts(layer) else 0 for layer in self.layers], np.uint16)

    def parameter_count(self) -> int:
        return sum(int(rank) * sum(matrix.shape) for rank, matrix in zip(self.ranks(), self.matrices, strict=True))

    def factors(self, index: int) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor, torch.Tensor]:
        layer, nothing = self.layers[index], torch.zeros(0)
        if not self._adapts(layer):
            out_features, in_features = self.matrices[index].shape
            return torch.zeros(out_features, 0), None, torch.zeros(0, in_features), nothing
        B = layer.lora_B[self.adapter].weight * layer.scaling[self.adapter]
        return B, None, layer.lora_A[self.adapter].weight, nothing

    def _adapts(self, layer: Any) -> bool:
        return isinstance(layer, LoraLayer) and self.adapter in layer.r
