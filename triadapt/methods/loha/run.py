"""Drives PEFT's LoHa."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peft import LoHaConfig, PeftConfig, PeftModel
from torch import nn

from triadapt.methods.linear_only import check_linear_only
from triadapt.methods.loha.settings import Settings
from triadapt.methods.measured_run import MeasuredRun

if TYPE_CHECKING:
    from triadapt.config import AllocationConfig
    from triadapt.events import Matrix

PARTS = ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")


class Run(MeasuredRun):
    """LoHa (FedPara, arXiv 2108.06098): dW is the entrywise product of two products of rank r."""

    @classmethod
    def adapt(
        cls, model: nn.Module, matrices: list[Matrix], config: AllocationConfig, modules_to_save: list[str]
    ) -> PeftModel:
        check_linear_only(model, matrices, "loha", "LoHa")
        return super().adapt(model, matrices, config, modules_to_save)

    @classmethod
    def peft_config(cls, config: AllocationConfig, targets: list[str]) -> PeftConfig:
        settings = config.method_settings
        assert isinstance(settings, Settings)
        rank = settings.rank_of(config)
        # PEFT divides by the rank; the scale meant is that of the other methods. It takes any number for alpha.
        alpha = config.alpha * rank / config.reference_rank
        return LoHaConfig(r=rank, alpha=alpha, target_modules=targets)

    @classmethod
    def values_of(cls, config: PeftConfig) -> dict[str, Any]:
        return {"reference_rank": config.r, "alpha": config.alpha}

    def parameter_count(self) -> int:
        return sum(getattr(layer, part)[self.adapter].numel() for layer in self.layers for part in PARTS)
