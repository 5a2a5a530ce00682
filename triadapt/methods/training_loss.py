"""The plain loss of a PEFT model, whatever its tuner would add."""

from __future__ import annotations

from types import MethodType
from typing import Any

from peft import PeftModel


def use_plain_loss(model: PeftModel) -> None:
    """Make `model` return the loss of its base model as it is.

    PEFT's AdaLoRA adds its orthogonality term to the loss in evaluation too, and raises AttributeError for an adapter
    that was loaded for inference when labels are passed.
    """
    tuner: Any = model.base_model
    # An attribute of the instance goes before the method of its class. A bound method copies and pickles with it.
    tuner.forward = MethodType(_through, tuner)


def _through(tuner: Any, *args: Any, **kwargs: Any) -> Any:
    return tuner.model(*args, **kwargs)
