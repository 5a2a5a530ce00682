"""Drives QLoRA: PEFT's LoRA over weights that are rounded to 4 bits first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peft import PeftConfig, PeftModel
from torch import nn

from triadapt.methods.lora.run import Run as LoraRun
from triadapt.methods.qlora.quantize import quantize_layers, restore_layers
from triadapt.methods.qlora.settings import Settings

if TYPE_CHECKING:
    from triadapt.config import AllocationConfig
    from triadapt.events import Matrix


class Run(LoraRun):
    """QLoRA (arXiv 2305.14314): the matrices to be adapted are held in 4 bits, LoRA trains over them.

    A base that comes in 4 bits stays as it is.
    """

    @classmethod
    def adapt(
        cls, model: nn.Module, matrices: list[Matrix], config: AllocationConfig, modules_to_save: list[str]
    ) -> PeftModel:
        settings = config.method_settings
        assert isinstance(settings, Settings)
        names, device = [matrix.name for matrix in matrices], getattr(config, "device", "auto")
        quantize_layers(model, names, settings.quant_type, settings.double_quant, device)
        return super().adapt(model, matrices, config, modules_to_save)

    @property
    def rounds(self) -> bool:
        """Whether this run has rounded the weights itself, rather than found them so."""
        return all(hasattr(layer.get_base_layer(), "came_as") for layer in self.layers)

    def merged(self) -> nn.Module:
        """The rounded weights as numbers, plus dW: what was trained, where merging into 4 bits would round again."""
        if not self.rounds:
            return super().merged()
        names, pairs = [matrix.name for matrix in self.matrices], [self.factors(i) for i in range(len(self.layers))]
        added = {name: (B @ A).detach() for name, (B, _, A, _) in zip(names, pairs, strict=True)}
        model: Any = self.model
        plain: nn.Module = model.unload()
        restore_layers(plain, added)
        return plain

    def base_code(self, base: str, folder: str) -> tuple[str, list[str]]:
        settings = self.config.method_settings
        if not self.rounds or not isinstance(settings, Settings):
            return base, []
        rounded = f'quantized_like({base}, "{folder}", "{settings.quant_type}", {settings.double_quant})'
        return rounded, ["from triadapt.methods.qlora.quantize import quantized_like"]

    @classmethod
    def config_for(cls, config: AllocationConfig, matrices: list[Matrix]) -> PeftConfig:
        return cls.peft_config(config, [matrix.name for matrix in matrices])
