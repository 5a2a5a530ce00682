"""An adapter of a growing method as a plain LoRA folder, exactly, for places where this package is not installed."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model_state_dict
from safetensors.torch import save_file

from triadapt.methods.tuner_layer import GrowingLayer


def save_as_lora(model: PeftModel, folder: str | Path, adapter: str = "default") -> None:
    """Write adapter `adapter` of a TriAdaptLoRA or IncreLoRA model to `folder` as PEFT LoRA.

    Each matrix keeps its rank: `lora_A` `(r, in)` is A, `lora_B` `(out, r)` is `s B (L + U)` or `s B diag(E)`, and
    `rank_pattern` and `alpha_pattern` say r. Triplets in reserve are left out: their share of dW, about 1e-5 of a
    triplet in use, ends with training. Modules trained beside the adapter are written too. The folder holds
    `adapter_config.json` and `adapter_model.safetensors` and loads with `PeftModel.from_pretrained`. Raises ValueError
    when the model has no such adapter.
    """
    layers = {
        name.removeprefix("base_model.model."): layer
        for name, layer in model.named_modules()
        if isinstance(layer, GrowingLayer) and adapter in layer.scaling
    }
    if not layers:
        raise ValueError(f"adapter = {adapter!r}: the model has no growing adapter of that name")
    tensors: dict[str, torch.Tensor] = {}
    ranks = {}
    for name, layer in layers.items():
        A, B = layer.lora_factors(adapter)
        ranks[name] = len(A)
        tensors[f"base_model.model.{name}.lora_A.weight"] = A.detach().cpu().contiguous().clone()
        tensors[f"base_model.model.{name}.lora_B.weight"] = B.detach().cpu().contiguous().clone()
    own = model.base_model.prefix
    for key, value in get_peft_model_state_dict(model, adapter_name=adapter).items():
        if f".{own}" not in key:
            tensors[key] = value.detach().cpu().contiguous().clone()
    config = model.peft_config[adapter]
    top = max(ranks.values())
    written = LoraConfig(
        base_model_name_or_path=config.base_model_name_or_path,
        revision=config.revision,
        task_type=config.task_type,
        inference_mode=True,
        r=top,
        lora_alpha=top,
        lora_dropout=config.dropout,
        target_modules=sorted(layers),
        rank_pattern=_exact(ranks),
        alpha_pattern=_exact(ranks),
        fan_in_fan_out=config.fan_in_fan_out,
        modules_to_save=config.modules_to_save,
    )
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    save_file(tensors, str(place / "adapter_model.safetensors"), metadata={"format": "pt"})
    written.save_pretrained(str(place))


def _exact(ranks: dict[str, int]) -> dict[str, int]:
    # PEFT reads the keys as regular expressions that end a module's name; `^` keeps one name from ending another's.
    return {f"^{re.escape(name)}": rank for name, rank in ranks.items()}
