"""Linear layers of a model, replaced by the same in 4 bits."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig
from peft.tuners.tuners_utils import check_target_module_exists
from peft.utils import CONFIG_NAME
from torch import nn
from transformers.pytorch_utils import Conv1D

from triadapt.methods.four_bit import dequantized, is_four_bit, keep_layout, reads_right

MISSING = "method = 'qlora': bitsandbytes is not installed; run `pip install \"triadapt[four-bit]\"`"


def quantize_layers(
    model: nn.Module, names: Iterable[str], quant_type: str, double_quant: bool, device: str = "cpu"
) -> None:
    """Put a bitsandbytes layer with the rounded weight in place of each Linear or Conv1D layer of `names`, in place.

    Layers in 4 bits stay as they are. Products are computed in the type the weight had. device: where the model will
    train. Raises ValueError where bitsandbytes is not installed, a layer is none of these, or the CPU would not compute
    with the weight that was rounded; the model is then as it was.
    """
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ValueError(MISSING)
    on_cpu = device == "cpu" or (device == "auto" and not torch.cuda.is_available())
    found = {name: layer for name in names if not is_four_bit(layer := model.get_submodule(name))}
    for name, layer in found.items():
        _check_kind(layer, name)
    rounded = {name: _rounded(layer, quant_type, double_quant) for name, layer in found.items()}
    for name, new in rounded.items():
        if on_cpu and not reads_right(new):
            raise ValueError(
                f"method = 'qlora': {name} has {new.in_features} inputs; bitsandbytes reads 4-bit weights wrongly "
                f"on this CPU unless that is a multiple of 64, so choose such a width, a GPU, or another method"
            )
    for name, new in rounded.items():
        model.set_submodule(name, new)
    # PEFT asks a model for this before it looks at its layers.
    model.is_loaded_in_4bit = True  # type: ignore[assignment]


def quantized_like(
    model: nn.Module, folder: str | Path, quant_type: str, double_quant: bool, device: str = "auto"
) -> nn.Module:
    """`model` with the layers in 4 bits that the adapter saved in `folder` adapts: what it was trained over.

    Which these are is told by PEFT, from names, endings of names or a regular expression. device: where the model will
    compute; `auto` is a GPU where there is one. Raises ValueError as `quantize_layers` does, where the folder holds no
    adapter, and where that adapts no layer of this model.
    """
    if not (Path(folder) / CONFIG_NAME).is_file():  # PEFT would look for it on the hub
        raise ValueError(f"{folder}: holds no {CONFIG_NAME}; name the folder that the adapter was saved in")
    adapter = PeftConfig.from_pretrained(str(folder))
    names = [name for name, _ in model.named_modules() if name and check_target_module_exists(adapter, name)]
    if not names:
        targets = str(getattr(adapter, "target_modules", None))[:200]
        raise ValueError(
            f"{folder}: target_modules = {targets}: no layer of this model; give the model it was made for"
        )
    quantize_layers(model, names, quant_type, double_quant, device)
    return model


@torch.no_grad()
def restore_layers(model: nn.Module, added: dict[str, torch.Tensor]) -> None:
    """Put layers of the kind they came as in place of those that `quantize_layers` made, with the rounded weight as
    numbers plus dW `(out, in)` of `added`, by name. Raises ValueError if a sum is not finite."""
    for name, delta in added.items():
        layer: Any = model.get_submodule(name)
        weight = dequantized(layer)
        weight = weight + delta.to(weight)
        if not torch.isfinite(weight).all():
            raise ValueError(f"merging the adapter of {name} gives weights that are not finite")
        out, wide = weight.shape
        new: Any = Conv1D(out, wide) if layer.came_as is Conv1D else nn.Linear(wide, out, bias=layer.bias is not None)
        new.weight = nn.Parameter(weight.T.contiguous() if layer.came_as is Conv1D else weight)
        new.bias = layer.bias
        model.set_submodule(name, new.requires_grad_(False))
    model.is_loaded_in_4bit = False  # type: ignore[assignment]


def _check_kind(layer: nn.Module, name: str) -> None:
    if type(layer) not in (nn.Linear, Conv1D):
        raise ValueError(
            f"method = 'qlora': {name} is a {type(layer).__name__}; only Linear and Conv1D layers are quantized"
        )


@torch.no_grad()
def _rounded(layer: Any, quant_type: str, double_quant: bool) -> Any:
    bnb = importlib.import_module("bitsandbytes")
    weight = (layer.weight.T if isinstance(layer, Conv1D) else layer.weight).detach().contiguous()
    out, wide = weight.shape
    new = bnb.nn.Linear4bit(
        wide, out, bias=layer.bias is not None, compute_dtype=weight.dtype, compress_statistics=double_quant,
        quant_type=quant_type, device="meta",
    )  # fmt: skip
    held = bnb.nn.Params4bit(
        weight, requires_grad=False, quant_type=quant_type, compress_statistics=double_quant, module=new
    )
    new.weight = held.to(weight.device)  # it is rounded by being moved, also to where it is
    new.bias = layer.bias
    keep_layout(new)
    new.came_as = type(layer)
    return new.requires_grad_(False)
