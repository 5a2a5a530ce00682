"""A frozen model with dense updates added to its weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def dense_forward(model: nn.Module, deltas: dict[str, torch.Tensor], *args: Any, **kwargs: Any) -> Any:
    """`model(*args, **kwargs)` with `W + deltas[name]` in place of the weight of each linear layer `name`.

    deltas: dW by the layer's name, each `(out, in)`. Nothing is written into the model; gradients reach the updates.
    """
    weights = {f"{name}.weight": model.get_parameter(f"{name}.weight") + delta for name, delta in deltas.items()}
    return torch.func.functional_call(model, weights, args, kwargs)
