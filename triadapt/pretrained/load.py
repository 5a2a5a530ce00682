"""Load a pretrained model as data: safetensors only, no remote code, frozen, dropout off unless asked for."""

from __future__ import annotations

import contextlib
import copy
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    T5EncoderModel,
)  # fmt: skip
from transformers.utils import logging as transformers_logging

from triadapt.methods.four_bit import is_four_bit, keep_layout, reads_right
from triadapt.pretrained.hub import fetched
from triadapt.pretrained.look import ENCODER_OF_TWO
from triadapt.pretrained.settings import PretrainedSettings, Weights
from triadapt.pretrained.source import ModelSource, find_model, has_tokenizer, refused, weights_sha256

Purpose = Literal["states", "causal"]
POOLED = frozenset({"bert", "roberta", "xlm-roberta", "camembert", "electra", "albert"})
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Pretrained:
    """A model and its tokenizer. source: where they came from, a folder also where a hub id was named; revision: the
    commit of a hub id, else empty."""

    model: nn.Module
    tokenizer: Any
    source: ModelSource
    revision: str


@dataclass(frozen=True)
class AsItCame:
    """What `load_model` changes in a model, as it was, for whoever saves the model. config: before dropout and cache
    were turned off. pooler: that was taken out; None where there was none among the weights. Copies of a model share
    it."""

    source: ModelSource
    config: Any
    pooler: nn.Module | None

    def __deepcopy__(self, memo: Any) -> AsItCame:
        return self


def load(
    settings: PretrainedSettings, field: str, purpose: Purpose, device: torch.device | str = "cpu"
) -> Pretrained:  # fmt: skip
    """Find, fetch where needed, and load. purpose `states`: `model(**inputs).last_hidden_state` is `(batch, tokens,
    hidden)`; `causal`: `.logits` is `(batch, tokens, vocabulary)`. In 4 bits the model comes on `device`, otherwise on
    the CPU. field: the setting that names the model. Raises ConfigError."""
    found = find_model(settings.model, field, settings.revision)
    source, revision = found, ""
    if not found.local:
        folder = fetched(found)
        source = replace(found, location=str(folder), local=True, sha256=weights_sha256(folder, found.model, field))
        revision = folder.name
    model = load_model(source, purpose, weights=settings.weights, dropout=settings.dropout, device=device)
    return Pretrained(model, load_tokenizer(source), source, revision)


def load_model(
    source: ModelSource,
    purpose: Purpose = "states",
    *,
    weights: Weights = "float32",
    dropout: bool = False,
    device: torch.device | str = "cpu",
) -> nn.Module:
    """The model of a folder, frozen; its `as_it_came` is an `AsItCame`. The global random state is left as it was. See
    `load`."""
    with _one_line(source), _quiet(), torch.random.fork_rng(devices=[]):
        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        config = AutoConfig.from_pretrained(source.location, **options)
        own = copy.deepcopy(config)
        if not dropout:
            for name, value in config.to_dict().items():
                if "drop" in name and isinstance(value, float):
                    setattr(config, name, 0.0)
        kind: Any = AutoModel if purpose == "states" else AutoModelForCausalLM
        if getattr(config, "is_encoder_decoder", False):
            if config.model_type not in ENCODER_OF_TWO or purpose == "causal":
                raise ValueError(
                    f"{config.model_type} is an encoder with a decoder; of these only T5's encoder is adapted"
                )
            kind = T5EncoderModel
        if weights == "4-bit":
            options |= {"quantization_config": _four_bit(source, device), "device_map": {"": str(device)}}
        options |= {"dtype": _DTYPES.get(weights, torch.float32), "output_loading_info": True}
        model, told = kind.from_pretrained(source.location, config=config, use_safetensors=True, **options)
    if not dropout:
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
    for name, module in model.named_modules():
        if is_four_bit(module):
            keep_layout(module)
            _check_reading(source, name, module)
    pooler = None
    if purpose == "states" and config.model_type in POOLED and hasattr(model, "pooler"):
        drawn = any("pooler." in name for name in told["missing_keys"])
        pooler = None if drawn or model.pooler is None else model.pooler.requires_grad_(False)
        model.pooler = None  # a trained layer on the CLS token; a head with a pooler of its own trains a fresh one
    if hasattr(model.config, "use_cache"):
        model.config.use_cache = False
    model.as_it_came = AsItCame(source, own, pooler)
    frozen: nn.Module = model.requires_grad_(False)
    return frozen


def load_tokenizer(source: ModelSource) -> Any:
    """The tokenizer that belongs to the model."""
    if not has_tokenizer(Path(source.location)):
        raise refused(
            source.field, source.model, "it has no tokenizer (tokenizer.json, vocab.txt or the like); save that of the "
            "model beside it"
        )  # fmt: skip
    with _one_line(source), _quiet():
        tokenizer = AutoTokenizer.from_pretrained(source.location, local_files_only=True, trust_remote_code=False)
    if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        raise refused(source.field, source.model, "its tokenizer knows no word; save that of the model beside it")
    return tokenizer


def hidden_size(model: nn.Module, source: ModelSource) -> int:
    """Width of the model's states. Raises ConfigError."""
    config: Any = model.config
    width = getattr(config, "hidden_size", None)  # under this name also where a family's own is another
    if not isinstance(width, int):
        raise refused(source.field, source.model, "its configuration names no hidden_size")
    return width


def _check_reading(source: ModelSource, name: str, layer: Any) -> None:
    if layer.weight.device.type == "cpu" and not reads_right(layer):
        raise refused(
            f"{source.field.rpartition('.')[0]}.weights", "4-bit", f"{name} has {layer.in_features} inputs, and "
            "bitsandbytes reads 4-bit weights wrongly on this CPU unless that is a multiple of 64; choose float32 or "
            "bfloat16"
        )  # fmt: skip


def _four_bit(source: ModelSource, device: torch.device | str) -> BitsAndBytesConfig:
    if importlib.util.find_spec("bitsandbytes") is None:
        section = source.field.rpartition(".")[0]
        raise refused(
            f"{section}.weights", "4-bit", "bitsandbytes is not installed; run `pip install \"triadapt[four-bit]\"`"
        )  # fmt: skip
    cuda = torch.device(device).type == "cuda"
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if cuda else torch.float32,
    )


@contextlib.contextmanager
def _one_line(source: ModelSource) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, ImportError, SafetensorError) as error:
        if hasattr(error, "lines"):
            raise
        reason = " ".join(str(error).split())[:240] or type(error).__name__
        raise refused(
            source.field,
            source.model,
            f"cannot be loaded ({reason}); give the folder of a saved model with its tokenizer",
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    verbosity, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()
