"""An adapter as a plain LoRA folder, for places where this package is not installed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model_state_dict
from peft.tuners.adalora import AdaLoraLayer
from peft.tuners.lora import LoraLayer
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import save_file
from transformers.pytorch_utils import Conv1D

from triadapt.methods.adapted_layers import adapters_of

Factors = tuple[torch.Tensor, torch.Tensor]

NOT_ADDED = ("oft_", "boft_", "hra_", "road_", "ia3_", "ln_tuning_", "psoft_", "osf_")
"""Parameters of PEFT's tuners that multiply a weight; there is no dW to decompose."""


def save_as_lora(model: PeftModel, folder: str | Path, adapter: str = "default") -> None:
    """Write adapter `adapter` of a model that any method has adapted to `folder` as PEFT LoRA.

    Where dW is a product of two, each matrix keeps its rank: `lora_A` `(r, in)` is A, `lora_B` `(out, r)` is
    `s B (L + U)`, or `s B diag(E)`, and `rank_pattern` and `alpha_pattern` say r. Triplets in reserve are left out:
    their share of dW, about 1e-5 of a triplet in use, ends with training; so are AdaLoRA's whose value is 0. Any other
    dW is written by its singular value decomposition, at the rank that float precision tells from 0. Modules trained
    beside the adapter are written too. The folder holds `adapter_config.json` and `adapter_model.safetensors` and loads
    with `PeftModel.from_pretrained`. Raises ValueError when the model has no such adapter.
    """
    factors = adapter_factors(model, adapter)
    if not factors:
        raise ValueError(f"adapter = {adapter!r}: the model has no low-rank adapter of that name")
    beside = {
        key: value
        for key, value in get_peft_model_state_dict(model, adapter_name=adapter).items()
        if not any(key.startswith(f"base_model.model.{name}.") for name in factors)
    }
    write_lora(folder, factors, model.peft_config[adapter], beside, adapter_biases(model, adapter))


def adapter_factors(model: PeftModel, adapter: str = "default") -> dict[str, Factors]:
    """A `(r, in)` and B `(out, r)`, the scale in B, of each layer that `adapter` adapts, by path in the base model."""
    layers = model.base_model.model.named_modules()
    return {name: found for name, layer in layers if (found := _factors(layer, adapter)) is not None}


@torch.no_grad()
def adapter_biases(model: PeftModel, adapter: str = "default") -> dict[str, torch.Tensor]:
    """What `adapter` adds to the bias `(out,)` of each layer that has one, by path in the base model; empty where it
    moves none. PEFT loads a LoRA with biases over layers without, but does not merge it."""
    found = {
        name: layer.get_delta_bias(adapter)
        for name, layer in model.base_model.model.named_modules()
        if isinstance(layer, BaseTunerLayer)
        and hasattr(layer, "get_delta_bias")
        and adapter in adapters_of(layer)
        and layer.get_base_layer().bias is not None
    }
    return found if any(bool(bias.any()) for bias in found.values()) else {}


def write_lora(
    folder: str | Path, factors: dict[str, Factors], config: Any, beside: dict[str, torch.Tensor],
    biases: dict[str, torch.Tensor] | None = None,
) -> None:  # fmt: skip
    """Write A `(r, in)` and B `(out, r)` of each layer, by its path in the base model, as a PEFT LoRA folder.

    config: any PEFT configuration, for what the base model is. beside: tensors of modules trained as a whole, under the
    keys PEFT saves them by. biases: what is added to biases, `(out,)`, by the same paths.
    """
    tensors = dict(beside)
    ranks = {}
    for name, (A, B) in factors.items():
        # PEFT knows no LoRA of rank 0.
        A, B = (A, B) if len(A) else (A.new_zeros(1, A.shape[1]), B.new_zeros(len(B), 1))
        ranks[name] = len(A)
        tensors[f"base_model.model.{name}.lora_A.weight"] = A
        tensors[f"base_model.model.{name}.lora_B.weight"] = B
        if biases:
            tensors[f"base_model.model.{name}.lora_B.bias"] = biases.get(name, B.new_zeros(len(B)))
    top = max(ranks.values())
    written = LoraConfig(
        base_model_name_or_path=config.base_model_name_or_path,
        revision=config.revision,
        task_type=config.task_type,
        inference_mode=True,
        r=top,
        lora_alpha=top,
        target_modules=sorted(factors),
        rank_pattern=_exact(ranks),
        alpha_pattern=_exact(ranks),
        fan_in_fan_out=getattr(config, "fan_in_fan_out", False),
        modules_to_save=config.modules_to_save if beside else None,
        lora_bias=bool(biases),
    )
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    whole = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
    save_file(whole, str(place / "adapter_model.safetensors"), metadata={"format": "pt"})
    written.save_pretrained(str(place))


def _factors(layer: Any, adapter: str) -> Factors | None:
    """A and B of a layer, scale in B, or None where it has no such adapter."""
    if not isinstance(layer, BaseTunerLayer) or adapter not in adapters_of(layer):
        return None
    if hasattr(layer, "lora_factors"):
        found: Factors = layer.lora_factors(adapter)
        return found
    if not isinstance(layer, LoraLayer):
        return _decomposed(layer, adapter)
    A, B = layer.lora_A[adapter], layer.lora_B[adapter]
    if isinstance(layer, AdaLoraLayer):
        values = layer.lora_E[adapter]
        kept = values.flatten() != 0
        scale = layer.scaling[adapter] / (layer.ranknum[adapter] + 1e-5)
        return A[kept], B[:, kept] * (values[kept].T * scale)
    return A.weight, B.weight * layer.scaling[adapter]


@torch.no_grad()
def _decomposed(layer: Any, adapter: str) -> Factors | None:
    """A and B of a layer whose update is added to its weight, from the singular values of dW; None for any other."""
    if any(name.startswith(NOT_ADDED) for name in layer.adapter_layer_names):
        return None
    delta = layer.get_delta_weight(adapter)
    if isinstance(layer.get_base_layer(), Conv1D):
        delta = delta.T
    # The decomposition adds no rounding of its own; what is left below is what float32 has rounded in dW itself.
    U, values, Vh = torch.linalg.svd(delta.double(), full_matrices=False)
    kept = values > 4 * torch.finfo(torch.float32).eps * values[0]
    A, B = values[kept].sqrt()[:, None] * Vh[kept], U[:, kept] * values[kept].sqrt()
    return A.float(), B.float()


def _exact(ranks: dict[str, int]) -> dict[str, int]:
    # PEFT reads the keys as regular expressions that end a module's name; `^` keeps one name from ending another's.
    return {f"^{re.escape(name)}": rank for name, rank in ranks.items()}
