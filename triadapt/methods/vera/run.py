"""Drives PEFT's VeRA."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peft import PeftConfig, VeraConfig

from triadapt.methods.measured_run import MeasuredRun
from triadapt.methods.vera.settings import Settings

if TYPE_CHECKING:
    from triadapt.config import AllocationConfig


class Run(MeasuredRun):
    """VeRA (arXiv 2310.11454): two vectors a matrix around frozen random projections that all matrices share."""

    @classmethod
    def peft_config(cls, config: AllocationConfig, targets: list[str]) -> PeftConfig:
        settings = config.method_settings
        assert isinstance(settings, Settings)
        return VeraConfig(
            r=settings.rank,
            d_initial=settings.d_initial,
            vera_dropout=config.adapter_dropout,
            projection_prng_key=config.seed,
            save_projection=True,
            target_modules=targets,
            bias="none",
        )

    @classmethod
    def values_of(cls, config: PeftConfig) -> dict[str, Any]:
        return {"vera": {"rank": config.r, "d_initial": config.d_initial}}

    def parameter_count(self) -> int:
        return sum(
            layer.vera_lambda_b[self.adapter].numel() + layer.vera_lambda_d[self.adapter].numel()
            for layer in self.layers
        )

    def shared(self) -> list[list[int]]:
        return [list(range(len(self.layers)))] if len(self.layers) > 1 else []
