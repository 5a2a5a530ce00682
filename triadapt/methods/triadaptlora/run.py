"""Drives TriAdaptLoRA through a training session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from peft import PeftConfig, PeftModel

from triadapt.methods.peft_run import GrowingRun, shared_values
from triadapt.methods.triadaptlora.config import TriAdaptLoraConfig
from triadapt.methods.triadaptlora.settings import Settings

if TYPE_CHECKING:
    from triadapt.config import AllocationConfig
    from triadapt.events import Matrix


class Run(GrowingRun):
    """Importance is the rise of the normalised Frobenius norm of L + U since the last event: signed, gradient-free."""

    core_kind = "triangular"

    def __init__(
        self, model: PeftModel, matrices: list[Matrix], config: AllocationConfig, adapter: str = "default"
    ) -> None:
        super().__init__(model, matrices, config, adapter)
        self.previous = self.norms()

    @classmethod
    def peft_config(cls, config: AllocationConfig, targets: list[str]) -> PeftConfig:
        settings = config.method_settings
        assert isinstance(settings, Settings)
        return TriAdaptLoraConfig(
            reference_rank=config.reference_rank,
            add_r=config.add_r,
            alpha=config.alpha,
            init=settings.init,
            scale=settings.scale,
            dropout=config.adapter_dropout,
            target_modules=targets,
        )

    @classmethod
    def values_of(cls, config: PeftConfig) -> dict[str, Any]:
        return shared_values(config) | {"triadaptlora": {"init": config.init, "scale": config.scale}}

    def ranks(self) -> NDArray[np.uint16]:
        return np.array([layer.triadaptlora_A[self.adapter].shape[0] for layer in self.layers], np.uint16)

    @torch.no_grad()
    def norms(self) -> NDArray[np.float32]:
        """`||L + U||_F / m` of each matrix, m the number of its blocks."""
        L, U, lower = (
            [getattr(layer, f"triadaptlora_{part}")[self.adapter] for layer in self.layers]
            for part in ("L", "U", "mask")
        )
        # Three calls for all matrices, not three for each.
        cores = torch._foreach_addcmul(torch._foreach_mul(L, lower), U, [mask.T for mask in lower])
        norms = torch.stack(torch._foreach_norm(cores))
        blocks = np.array([len(layer.triadaptlora_blocks[self.adapter]) for layer in self.layers])
        return (norms.float().cpu().numpy() / blocks).astype(np.float32)

    def scores(self) -> NDArray[np.float32]:
        return self.norms() - self.previous

    def event_scores(self) -> NDArray[np.float32]:
        norms = self.norms()
        scores = norms - self.previous
        self.previous = norms
        return scores

    def grow(self, index: int, gain: int, generator: torch.Generator) -> None:
        layer = self.layers[index]
        data = layer.grown(self.adapter, gain, generator)
        self.tuner.grow_layer(layer, self.adapter, data, self.optimizer, self.fresh, before_step=self.as_published)
        layer.set_blocks(self.adapter, [*layer.blocks(self.adapter), gain], data["A"])

    def factors(self, index: int) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor, torch.Tensor]:
        layer = self.layers[index]
        core = layer.core(self.adapter)
        B = layer.triadaptlora_B[self.adapter] * layer.scaling[self.adapter]
        return B, core, layer.triadaptlora_A[self.adapter], core

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        tensors, extra = super().state()
        extra["blocks"] = [layer.blocks(self.adapter) for layer in self.layers]
        return {**tensors, "previous": torch.from_numpy(self.previous)}, extra

    def restore_shapes(self, extra: dict[str, Any]) -> None:
        for layer, blocks in zip(self.layers, extra["blocks"], strict=True):
            layer.resize(self.adapter, blocks)

    def load_state(self, tensors: dict[str, torch.Tensor], extra: dict[str, Any]) -> None:
        super().load_state(tensors, extra)
        self.previous = tensors["previous"].numpy().copy()
