"""Drives SURM through a training session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peft import PeftConfig

from triadapt.methods.measured_run import MeasuredRun
from triadapt.methods.surm.config import SurmConfig
from triadapt.methods.surm.settings import Settings

if TYPE_CHECKING:
    from triadapt.config import AllocationConfig


class Run(MeasuredRun):
    """A structured matrix for each layer; its scale is that of LoRA over the root of the layer's input size."""

    @classmethod
    def peft_config(cls, config: AllocationConfig, targets: list[str]) -> PeftConfig:
        settings = config.method_settings
        assert isinstance(settings, Settings)
        return SurmConfig(
            alpha=config.alpha / config.reference_rank,
            structure=settings.structure,
            displacement_rank=settings.displacement_rank,
            factor=settings.factor,
            dropout=config.adapter_dropout,
            target_modules=targets,
        )

    @classmethod
    def values_of(cls, config: PeftConfig) -> dict[str, Any]:
        names = ("structure", "displacement_rank", "factor")
        return {"alpha": config.alpha, "reference_rank": 1, "surm": {name: getattr(config, name) for name in names}}

    def parameter_count(self) -> int:
        return sum(layer.parameter_count(self.adapter) for layer in self.layers)
