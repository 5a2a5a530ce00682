"""A term of the training loss, added where models of transformers return their loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from peft import PeftModel


class RegularisedLoss:
    """Makes a PEFT model add `regulariser()` to the loss it returns, in training only.

    Takes the place of what PEFT's AdaLoRA does by itself, which adds its orthogonality term in evaluation too and
    raises for an adapter that was loaded for inference.
    """

    def __init__(self, model: PeftModel, regulariser: Callable[[], torch.Tensor | None]) -> None:
        self.tuner: Any = model.base_model
        self.regulariser = regulariser
        # An attribute of the instance goes before the method of its class.
        self.tuner.forward = self._forward

    def _forward(self, *args: Any, **kwargs: Any) -> Any:
        outputs = self.tuner.model.forward(*args, **kwargs)
        loss = getattr(outputs, "loss", None)
        if self.tuner.training and isinstance(loss, torch.Tensor):
            term = self.regulariser()
            if term is not None:
                outputs.loss = loss + term
        return outputs
