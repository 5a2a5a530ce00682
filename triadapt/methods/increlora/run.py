"""Drives IncreLoRA through a training session."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from peft import PeftConfig, PeftModel

from triadapt.methods.increlora.config import IncreLoraConfig
from triadapt.methods.increlora.settings import Settings
from triadapt.methods.interface import RankDecision
from triadapt.methods.orthogonality import orthogonality
from triadapt.methods.peft_run import GrowingRun, shared_values

if TYPE_CHECKING:
    from triadapt.config import AllocationConfig
    from triadapt.events import Matrix


class Run(GrowingRun):
    """Importance is a moving average of `sum(|dW * G|) / sqrt(numel)` times that of its uncertainty."""

    core_kind = "diagonal"
    rule = "top-h"

    def __init__(
        self, model: PeftModel, matrices: list[Matrix], config: AllocationConfig, adapter: str = "default"
    ) -> None:
        super().__init__(model, matrices, config, adapter)
        settings = config.method_settings
        assert isinstance(settings, Settings)
        self.settings = settings
        self.average = torch.zeros(len(matrices))
        self.uncertainty = torch.zeros(len(matrices))
        self._observe(True)
        for layer in self.layers:  # in an adapter that was loaded they are off
            layer.set_used(adapter, layer.used(adapter))
        self.after_growth()

    @classmethod
    def peft_config(cls, config: AllocationConfig, targets: list[str]) -> PeftConfig:
        return IncreLoraConfig(
            reference_rank=config.reference_rank,
            add_r=config.add_r,
            alpha=config.alpha,
            scale=str(getattr(config.method_settings, "scale", "constant")),
            advance_learning=bool(getattr(config.method_settings, "advance_learning", True)),
            dropout=config.adapter_dropout,
            target_modules=targets,
        )

    @classmethod
    def values_of(cls, config: PeftConfig) -> dict[str, Any]:
        return shared_values(config) | {
            "increlora": {"scale": config.scale, "advance_learning": config.advance_learning}
        }

    def _observe(self, on: bool) -> None:
        for layer in self.layers:
            layer.observing = on
            layer.observed = None

    def ranks(self) -> NDArray[np.uint16]:
        return np.array([layer.used(self.adapter) for layer in self.layers], np.uint16)

    def regulariser(self) -> torch.Tensor | None:
        if self.settings.orthogonality == 0:
            return None
        rows = [layer.increlora_A[self.adapter] for layer in self.layers]
        columns = [layer.increlora_B[self.adapter] for layer in self.layers]
        return self.settings.orthogonality * orthogonality(rows, columns)

    def before_step(self, step: int) -> RankDecision | None:
        if self.layers[0].observing:
            self._update_scores()
        return super().before_step(step)

    @torch.no_grad()
    def _update_scores(self) -> None:
        beta1, beta2 = self.settings.beta1, self.settings.beta2
        values = []
        for layer in self.layers:
            gradient, layer.observed = layer.observed, None
            delta = layer.delta(self.adapter)
            values.append(delta.new_zeros(()) if gradient is None else (delta * gradient).abs().sum().to(delta.dtype))
        sizes = torch.tensor([math.sqrt(math.prod(matrix.shape)) for matrix in self.matrices])
        score = torch.stack(values).float().cpu() / self.gradient_scale / sizes
        self.average = beta1 * self.average + (1 - beta1) * score
        self.uncertainty = beta2 * self.uncertainty + (1 - beta2) * (score - self.average).abs()

    def scores(self) -> NDArray[np.float32]:
        return (self.average * self.uncertainty).numpy().astype(np.float32)

    def event_scores(self) -> NDArray[np.float32]:
        return self.scores()

    def grow(self, index: int, gain: int, generator: torch.Generator) -> None:
        layer = self.layers[index]
        reserve = self.config.add_r if self.settings.advance_learning else 0
        used, old_rows = layer.used(self.adapter), layer.increlora_A[self.adapter].shape[0]
        data = layer.grown(self.adapter, gain, reserve, generator)
        values = {"E": data.pop("E")}
        if values["E"].shape[0] > old_rows:
            self.tuner.grow_layer(layer, self.adapter, data, self.optimizer, self.fresh, before_step=self.as_published)
            self.tuner.grow_layer(layer, self.adapter, values, self.optimizer, None, before_step=self.as_published)
        # A and B of a triplet are new when it joins the reserve; its E stands still until it is granted.
        self.fresh.born(layer.increlora_E[self.adapter], torch.Size([used, 1]), before_step=self.as_published)
        layer.set_used(self.adapter, used + gain)

    def after_growth(self) -> None:
        if int(self.ranks().sum()) >= self.config.reference_rank * len(self.layers):
            self._close()

    def close(self) -> None:
        self._close()

    def release_optimizer(self) -> None:
        super().release_optimizer()
        self._observe(False)

    def _close(self) -> None:
        """The target is reached: reserve triplets are switched off and scoring ends."""
        self._observe(False)
        for layer in self.layers:
            layer.set_used(self.adapter, layer.used(self.adapter), reserve_on=False)

    def pace(self, step: int, birth: int) -> float:
        """A new block warms up linearly over one interval, then decays to 0 at the end of training."""
        if not self.settings.block_warmup:
            return 1.0
        since, warm, total = step - birth, self.config.interval, self.config.steps
        if since < warm:
            block = since / warm
        elif self.config.lr_schedule == "linear":
            block = max(0.0, (total - step + 1) / max(1, total - birth - warm))
        else:
            block = 1.0
        return min(block, 1.0) / max(1e-8, self.main_share(step))

    def factors(self, index: int) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor, torch.Tensor]:
        layer = self.layers[index]
        used = layer.used(self.adapter)
        values = layer.values(self.adapter)[:used]
        B = layer.increlora_B[self.adapter][:, :used] * layer.scaling[self.adapter]
        return B, None, layer.increlora_A[self.adapter][:used] * values, values

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        tensors, extra = super().state()
        extra["used"] = [layer.used(self.adapter) for layer in self.layers]
        extra["size"] = [layer.increlora_A[self.adapter].shape[0] for layer in self.layers]
        return {**tensors, "average": self.average, "uncertainty": self.uncertainty}, extra

    def restore_shapes(self, extra: dict[str, Any]) -> None:
        for layer, size, used in zip(self.layers, extra["size"], extra["used"], strict=True):
            layer.resize(self.adapter, size, used)
            layer.set_used(self.adapter, used)
        self.after_growth()

    def load_state(self, tensors: dict[str, torch.Tensor], extra: dict[str, Any]) -> None:
        super().load_state(tensors, extra)
        self.average, self.uncertainty = tensors["average"].clone(), tensors["uncertainty"].clone()
