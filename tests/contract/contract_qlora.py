"""QLoRA under the contract: its tuner is LoRA, which is held to the rest under its own name; here it runs over layers
that the method itself has brought into 4 bits."""

from collections.abc import Sequence
from dataclasses import replace

from contract import Contract
from torch import nn

from triadapt.methods.qlora.quantize import quantize_layers


def quantize(model: nn.Module, targets: Sequence[str], quant_type: str, double_quant: bool) -> None:
    names = [name for name, _ in model.named_modules() if name.endswith(tuple(f".{target}" for target in targets))]
    quantize_layers(model, names, quant_type, double_quant)


def contract_over(lora: Contract) -> Contract:
    """LoRA's contract over a base of the method's own making."""
    return replace(lora, quantize=quantize)
