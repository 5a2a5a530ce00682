"""Tiny models of many families with random weights, each saved in a folder with a tokenizer of whole words."""

from pathlib import Path
from typing import Any

import torch
from tiny_text import SPECIAL, WORDS, write_tiny_tokenizer
from transformers import (
    BertConfig,
    BertModel,
    DebertaV2Config,
    DebertaV2Model,
    DistilBertConfig,
    DistilBertModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    ModernBertConfig,
    ModernBertModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    RobertaConfig,
    RobertaModel,
    T5Config,
    T5ForConditionalGeneration,
)  # fmt: skip

VOCABULARY = len(SPECIAL) + len(WORDS) + 26


def _sizes(d: int) -> dict[str, Any]:
    return {
        "vocab_size": VOCABULARY, "hidden_size": d, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 2 * d, "max_position_embeddings": 64, "pad_token_id": 0, "bos_token_id": 2,
        "eos_token_id": 3,
    }  # fmt: skip


def _t5(d: int) -> T5Config:
    return T5Config(
        vocab_size=VOCABULARY, d_model=d, d_kv=d // 2, d_ff=2 * d, num_layers=2, num_heads=2, pad_token_id=0,
        decoder_start_token_id=0, eos_token_id=3, feed_forward_proj="gated-gelu",
    )  # fmt: skip


def _gpt2(d: int) -> GPT2Config:
    return GPT2Config(
        vocab_size=VOCABULARY, n_embd=d, n_layer=2, n_head=2, n_positions=64, bos_token_id=2, eos_token_id=3
    )


FAMILIES: dict[str, Any] = {
    "bert": lambda d: BertModel(BertConfig(**_sizes(d))),
    "roberta": lambda d: RobertaModel(RobertaConfig(**_sizes(d))),
    "deberta-v2": lambda d: DebertaV2Model(
        DebertaV2Config(
            **_sizes(d),
            relative_attention=True,
            position_biased_input=False,
            pos_att_type=["p2c", "c2p"],
            share_att_key=True,
        )
    ),
    "distilbert": lambda d: DistilBertModel(
        DistilBertConfig(vocab_size=VOCABULARY, dim=d, hidden_dim=2 * d, n_layers=2, n_heads=2)
    ),
    "modernbert": lambda d: ModernBertModel(
        ModernBertConfig(**{**_sizes(d), "cls_token_id": 2, "sep_token_id": 3}, attn_implementation="sdpa")
    ),
    "gpt2": lambda d: GPT2LMHeadModel(_gpt2(d)),
    "llama": lambda d: LlamaForCausalLM(LlamaConfig(**_sizes(d), num_key_value_heads=1)),
    "qwen2": lambda d: Qwen2ForCausalLM(Qwen2Config(**_sizes(d), num_key_value_heads=1)),
    "t5": lambda d: T5ForConditionalGeneration(_t5(d)),
}
BLOCK = 64
"""The width from which bitsandbytes rounds and reads weights alike on every CPU."""


def write_family(family: str, folder: Path, width: int = 16) -> str:
    """A model of the family, saved as its authors would; returns the folder's name."""
    torch.manual_seed(0)
    FAMILIES[family](width).save_pretrained(folder)
    write_tiny_tokenizer(folder)
    return str(folder)
