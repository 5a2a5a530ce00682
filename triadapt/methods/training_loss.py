"""A term of the training loss, added where models of transformers return their loss."""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import Any

import torch
from peft import PeftModel
from torch import nn


def add_to_training_loss(model: PeftModel, regulariser: Callable[[], torch.Tensor | None]) -> None:
    """Make `model` add `regulariser()` to the `loss` of its outputs, in training only.

    Replaces what PEFT's AdaLoRA does by itself: it adds its orthogonality term in evaluation too, raises for an adapter
    that was loaded for inference, and adds nothing for a model wrapped without a task type.
    """
    tuner: Any = model.base_model

    def add(module: nn.Module, _: Any, outputs: Any) -> None:
        loss = getattr(outputs, "loss", None)
        if module.training and isinstance(loss, torch.Tensor):
            term = regulariser()
            if term is not None:
                outputs.loss = loss + term

    tuner.model.register_forward_hook(add)
    use_plain_loss(model)


def use_plain_loss(model: PeftModel) -> None:
    """Make `model` return the loss of its base model as it is, whatever PEFT's tuner would add."""
    tuner: Any = model.base_model
    # An attribute of the instance goes before the method of its class, which would call past the hooks of the model.
    tuner.forward = MethodType(_through, tuner)


def _through(tuner: Any, *args: Any, **kwargs: Any) -> Any:
    return tuner.model(*args, **kwargs)
