"""4-bit base layers of bitsandbytes: their weight as numbers, and back.

Nothing here imports bitsandbytes: whoever passes such a layer has it, and everybody else can do without.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator
from typing import Any

import torch
from peft.utils.integrations import dequantize_bnb_weight
from torch import nn


def is_bitsandbytes(layer: nn.Module, name: str) -> bool:
    """Whether `layer` is bitsandbytes' class `name` or derived from it."""
    return _derives(type(layer), name)  # type: ignore[arg-type]


@functools.cache  # asked of every layer at every call of `train`
def _derives(kind: Any, name: str) -> bool:
    return any(base.__name__ == name and base.__module__.startswith("bitsandbytes.") for base in kind.__mro__)


def is_four_bit(layer: nn.Module) -> bool:
    """Whether the weight of `layer` is held in 4 bits by bitsandbytes."""
    return is_bitsandbytes(layer, "Linear4bit")


def restore_layout(layer: nn.Module) -> None:
    """Undo the order of entries that inference on some CPUs leaves a 4-bit weight in; other layers stay as they are.

    In that order nothing but inference works: dequantizing gives wrong numbers and the product has no gradient.
    """
    if is_four_bit(layer) and getattr(getattr(layer.weight, "quant_state", None), "packing_format_for_cpu", False):
        # bitsandbytes offers the way back where it saves.
        layer.state_dict()


def keep_layout(layer: Any) -> None:
    """Let evaluation on some CPUs not order the entries of a 4-bit layer anew: it would compute in bfloat16 there,
    which other CPUs do not, fail where outputs are no multiple of 32, and leave no gradient to the training after."""
    layer.support_avx512bf16_for_cpu = False


def dequantized(layer: nn.Module) -> torch.Tensor:
    """The weight of a 4-bit layer as numbers, `(out, in)`."""
    restore_layout(layer)
    weight: torch.Tensor = dequantize_bnb_weight(layer.weight)
    return weight


def held_beside(weight: torch.Tensor) -> Iterator[torch.Tensor]:
    """What bitsandbytes holds beside a 4-bit weight, outside of parameters and buffers: levels, scales of the blocks,
    and those of the scales where they are rounded too. Nothing of any other tensor."""
    state = getattr(weight, "quant_state", None)
    while state is not None:
        yield from (value for value in vars(state).values() if isinstance(value, torch.Tensor))
        state = getattr(state, "state2", None)


def reads_right(layer: Any) -> bool:
    """Whether a 4-bit layer, where it is now, gives the numbers that its weight stands for.

    On some CPUs bitsandbytes takes the wrong scales for rows that are no whole number of blocks of 64, in products too.
    As one long row the same weight has no such rows.
    """
    whole, state = dequantized(layer), layer.weight.quant_state
    flat = copy.copy(state)
    flat.shape = torch.Size([1, whole.numel()])
    layer.weight.quant_state = flat
    try:
        return torch.equal(dequantize_bnb_weight(layer.weight).flatten(), whole.flatten())
    finally:
        layer.weight.quant_state = state


def requantize(layer: nn.Module, weight: torch.Tensor) -> None:
    """Put `weight` `(out, in)` into a 4-bit layer, rounded to the layer's own kind of 4 bits."""
    old: Any = layer.weight
    new = type(old)(
        weight.detach(),
        requires_grad=False,
        blocksize=old.blocksize,
        compress_statistics=old.compress_statistics,
        quant_type=old.quant_type,
        quant_storage=old.quant_storage,
        module=layer,
    )
    # It is quantized by being moved, also to the device it is on.
    layer.weight = new.to(old.device)
