"""Models that a tuner of PEFT's for Linear layers alone cannot adapt, refused before anything is wrapped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from triadapt.methods.four_bit import is_bitsandbytes, is_four_bit

if TYPE_CHECKING:
    from triadapt.events import Matrix


def check_linear_only(model: nn.Module, matrices: list[Matrix], method: str, label: str) -> None:
    """Raise ValueError naming method, layer and fix where one of `matrices` is no Linear layer, or is quantized."""
    for matrix in matrices:
        layer = model.get_submodule(matrix.name)
        kind = type(layer).__name__
        if is_four_bit(layer) or is_bitsandbytes(layer, "Linear8bitLt"):
            raise ValueError(
                f"method = {method!r}: {matrix.name} is a {kind}; PEFT's {label} adapts no quantized weights, hold "
                f"them in float32 or bfloat16, or choose another method"
            )
        if not isinstance(layer, nn.Linear):
            raise ValueError(
                f"method = {method!r}: {matrix.name} is a {kind}; PEFT's {label} adapts Linear layers only, "
                f"choose another method for this model"
            )
