"""Drives TriAdaptLoRA through a training session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from peft import PeftConfig
from torch import nn

from triadapt.methods.peft_run import ADAPTER, GrowingRun
from triadapt.methods.triadaptlora.config import TriAdaptLoraConfig
from triadapt.methods.triadaptlora.settings import Settings

if TYPE_CHECKING:
    from triadapt.config import RunConfig
    from triadapt.events import Matrix


class Run(GrowingRun):
    """Importance is the rise of the normalised Frobenius norm of L + U since the last event: signed, gradient-free."""

    core_kind = "triangular"

    def __init__(self, model: nn.Module, matrices: list[Matrix], config: RunConfig, modules_to_save: list[str]) -> None:
        super().__init__(model, matrices, config, modules_to_save)
        self.previous = self.norms()

    def peft_config(self, config: RunConfig, targets: list[str]) -> PeftConfig:
        settings = config.method_settings
        assert isinstance(settings, Settings)
        return TriAdaptLoraConfig(
            reference_rank=config.reference_rank,
            add_r=config.add_r,
            alpha=config.alpha,
            init=settings.init,
            scale=settings.scale,
            target_modules=targets,
        )

    def ranks(self) -> NDArray[np.uint16]:
        return np.array([layer.triadaptlora_A[ADAPTER].shape[0] for layer in self.layers], np.uint16)

    @torch.no_grad()
    def norms(self) -> NDArray[np.float32]:
        """`||L + U||_F / m` of each matrix, m the number of its blocks."""
        norms = torch.stack([torch.linalg.matrix_norm(layer.core(ADAPTER)) for layer in self.layers])
        blocks = np.array([len(layer.triadaptlora_blocks[ADAPTER]) for layer in self.layers])
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
        data = layer.grown(ADAPTER, gain, generator)
        self.tuner.grow_layer(layer, ADAPTER, data, self.optimizer, self.fresh, before_step=self.as_published)
        layer.set_blocks(ADAPTER, [*layer.blocks(ADAPTER), gain], data["A"])

    def factors(self, index: int) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor, torch.Tensor]:
        layer = self.layers[index]
        core = layer.core(ADAPTER)
        B = layer.triadaptlora_B[ADAPTER] * layer.scaling[ADAPTER]
        return B, core, layer.triadaptlora_A[ADAPTER], core

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        tensors, extra = super().state()
        extra["blocks"] = [layer.blocks(ADAPTER) for layer in self.layers]
        return {**tensors, "previous": torch.from_numpy(self.previous)}, extra

    def restore_shapes(self, extra: dict[str, Any]) -> None:
        for layer, blocks in zip(self.layers, extra["blocks"], strict=True):
            layer.resize(ADAPTER, blocks)

    def load_state(self, tensors: dict[str, torch.Tensor], extra: dict[str, Any]) -> None:
        super().load_state(tensors, extra)
        self.previous = tensors["previous"].numpy().copy()
