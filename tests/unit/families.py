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
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 32, "max_position_embeddings": 64, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3,
}  # fmt: skip


def _t5() -> T5Config:
    return T5Config(
        vocab_size=VOCABULARY, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, pad_token_id=0,
        decoder_start_token_id=0, eos_token_id=3, feed_forward_proj="gated-gelu",
    )  # fmt: skip


def _gpt2() -> GPT2Config:
    return GPT2Config(
        vocab_size=VOCABULARY, n_embd=16, n_layer=2, n_head=2, n_positions=64, bos_token_id=2, eos_token_id=3
    )


FAMILIES: dict[str, Any] = {
    "bert": lambda: BertModel(BertConfig(**SIZES)),
    "roberta": lambda: RobertaModel(RobertaConfig(**SIZES)),
    "deberta-v2": lambda: DebertaV2Model(
        DebertaV2Config(
            **SIZES,
            relative_attention=True,
            position_biased_input=False,
            pos_att_type=["p2c", "c2p"],
            share_att_key=True,
        )
    ),
    "distilbert": lambda: DistilBertModel(
        DistilBertConfig(vocab_size=VOCABULARY, dim=16, hidden_dim=32, n_layers=2, n_heads=2)
    ),
    "modernbert": lambda: ModernBertModel(
        ModernBertConfig(**{**SIZES, "cls_token_id": 2, "sep_token_id": 3}, attn_implementation="sdpa")
    ),
    "gpt2": lambda: GPT2LMHeadModel(_gpt2()),
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**SIZES, num_key_value_heads=1)),
    "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**SIZES, num_key_value_heads=1)),
    "t5": lambda: T5ForConditionalGeneration(_t5()),
}


def write_family(family: str, folder: Path) -> str:
    """A model of the family, saved as its authors would; returns the folder's name."""
    torch.manual_seed(0)
    FAMILIES[family]().save_pretrained(folder)
    write_tiny_tokenizer(folder)
    return str(folder)
