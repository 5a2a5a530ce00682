"""The small models that every method must adapt: random weights, width 16, two blocks, no dropout, no download."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from peft import PeftModel
from torch import nn
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForSequenceClassification,
    Qwen2Config,
    Qwen2ForSequenceClassification,
)

from triadapt.tasks.planted.network import Network, initialise

IDS = torch.arange(24).view(3, 8) % 30


def bert() -> Any:
    config = BertConfig(
        vocab_size=32, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=16, num_labels=3, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    torch.manual_seed(0)
    return BertForSequenceClassification(config)


def deberta() -> Any:
    config = DebertaV2Config(
        vocab_size=32, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=16, num_labels=3, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        pooler_dropout=0.0, relative_attention=True, pos_att_type=["p2c", "c2p"], position_buckets=4,
        share_att_key=True, norm_rel_ebd="layer_norm", type_vocab_size=0,
    )  # fmt: skip
    torch.manual_seed(0)
    return DebertaV2ForSequenceClassification(config)


def decoder(config_class: Any, model_class: Any, **values: Any) -> Any:
    sizes = {
        "vocab_size": 32, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 16, "num_labels": 3,
        "pad_token_id": 31,
    }  # fmt: skip
    torch.manual_seed(0)
    return model_class(config_class(**(sizes | values)))


def llama(**values: Any) -> Any:
    return decoder(LlamaConfig, LlamaForSequenceClassification, **values)


def qwen2() -> Any:
    return decoder(Qwen2Config, Qwen2ForSequenceClassification)


def gpt2(width: int = 16) -> Any:
    torch.manual_seed(0)
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=32, n_positions=16, n_embd=width, n_layer=2, n_head=2, resid_pdrop=0.0, embd_pdrop=0.0,
            attn_pdrop=0.0, bos_token_id=0, eos_token_id=0,
        )
    )  # fmt: skip


def planted() -> nn.Module:
    network = Network(2, 16, 2)
    initialise(network, torch.Generator().manual_seed(0))
    return network


@dataclass(frozen=True)
class Base:
    """A model, the layers adapted in it, and a module outside them that can be trained beside the adapter."""

    build: Callable[[], Any]
    targets: list[str]
    beside: str
    fan_in_fan_out: bool = False

    def target_names(self) -> list[str]:
        """Full names of the adapted layers, in the model's order."""
        return [name for name in names_in(self.build) if name.endswith(tuple(f".{target}" for target in self.targets))]


@functools.cache
def names_in(build: Callable[[], Any]) -> list[str]:
    return [name for name, _ in build().named_modules()]


BASES: dict[str, Base] = {
    "bert": Base(bert, ["query", "value", "output.dense"], "classifier"),
    "deberta": Base(deberta, ["query_proj", "value_proj", "output.dense"], "classifier"),
    "llama": Base(llama, ["q_proj", "v_proj", "down_proj"], "score"),
    "qwen2": Base(qwen2, ["q_proj", "v_proj", "down_proj"], "score"),
    "gpt2": Base(gpt2, ["c_attn", "c_proj"], "ln_f", fan_in_fan_out=True),
    "planted": Base(planted, ["q", "o", "up", "down"], "v"),
}

every_base = pytest.mark.parametrize("base", BASES)


def through(model: Any) -> Any:
    """What the model gives for the one batch of these tests."""
    inner = model.get_base_model() if isinstance(model, PeftModel) else model
    if isinstance(inner, Network):
        batch = torch.randn(3, 4, 16, generator=torch.Generator().manual_seed(1))
        return model(batch.to(next(inner.parameters()).dtype))
    return model(input_ids=IDS).logits


def logits(model: nn.Module) -> torch.Tensor:
    """The same as a copy, in evaluation."""
    model.eval()
    with torch.no_grad():
        found: torch.Tensor = through(model).clone()
    return found


def close(left: torch.Tensor, right: torch.Tensor, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(left, right, rtol=tolerance, atol=tolerance)
