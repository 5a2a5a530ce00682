"""Places of linear layers in the blocks of a transformer: what charts and the setting `adapt` call them.

Free of torch: the pages read it, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from triadapt.block_path import block_of

# Where families keep the linear layers of a block; the path inside the block on the left.
_SHORT_NAMES = {
    # BERT, RoBERTa, ELECTRA; DeBERTa with _proj; ALBERT below a group
    **{f"attention.self.{path}": path[0] for path in ("query", "key", "value", "query_proj", "key_proj", "value_proj")},
    "attention.self.pos_key_proj": "pos_k",
    "attention.self.pos_query_proj": "pos_q",
    "attention.output.dense": "o",
    "intermediate.dense": "up",
    "output.dense": "down",
    # DistilBERT
    "attention.q_lin": "q",
    "attention.k_lin": "k",
    "attention.v_lin": "v",
    "attention.out_lin": "o",
    "ffn.lin1": "up",
    "ffn.lin2": "down",
    # ModernBERT: query, key and value are one matrix, gate and up another
    "attn.Wqkv": "qkv",
    "attn.Wo": "o",
    "mlp.Wi": "gate_up",
    "mlp.Wo": "down",
    # GPT-2
    "attn.c_attn": "qkv",
    "attn.c_proj": "o",
    "mlp.c_fc": "up",
    "mlp.c_proj": "down",
    # GPT-NeoX
    "attention.query_key_value": "qkv",
    "attention.dense": "o",
    "mlp.dense_h_to_4h": "up",
    "mlp.dense_4h_to_h": "down",
    # Llama, Mistral, Qwen, Gemma, Phi, OPT
    "self_attn.q_proj": "q",
    "self_attn.k_proj": "k",
    "self_attn.v_proj": "v",
    "self_attn.o_proj": "o",
    "self_attn.out_proj": "o",
    "self_attn.qkv_proj": "qkv",
    "mlp.gate_proj": "gate",
    "mlp.up_proj": "up",
    "mlp.down_proj": "down",
    "mlp.gate_up_proj": "gate_up",
    "fc1": "up",
    "fc2": "down",
    # T5's encoder
    **{f"layer.0.SelfAttention.{part}": part for part in "qkvo"},
    "layer.1.DenseReluDense.wi": "up",
    "layer.1.DenseReluDense.wi_0": "gate",
    "layer.1.DenseReluDense.wi_1": "up",
    "layer.1.DenseReluDense.wo": "down",
}
_ORDER = ("qkv", "q", "k", "v", "o", "gate_up", "gate", "up", "down")
NO_LINEAR = ("relative_attention_bias", "embed", ".experts.", "moe.gate")
"""Parts of names of weights that have two dimensions and are no linear layer's; those of experts are one tensor for
all once they are loaded."""
DECODERS = frozenset(
    {"gpt2", "openai-gpt", "gpt_neo", "gpt_neox", "gptj", "llama", "mistral", "mixtral", "qwen2", "qwen3", "gemma",
     "gemma2", "gemma3_text", "phi", "phi3", "opt", "olmo", "olmo2", "smollm3", "bloom", "falcon"}
)  # fmt: skip
"""Families whose tokens see only those before them."""


def is_decoder(family: str, architectures: Iterable[object]) -> bool:
    """Whether the tokens of a model see only those before them, by its `model_type` and `architectures`."""
    return family in DECODERS or any(str(name).endswith("ForCausalLM") for name in architectures)


@dataclass(frozen=True)
class Place:
    """A linear layer in a block. name: its path. layer: index of the block. module: short name of the place. shape:
    `(out, in)`."""

    name: str
    layer: int
    module: str
    shape: tuple[int, int]


def place_of(path: str) -> tuple[int, str] | None:
    """Index of the block and short name of the place of the layer at `path`; None outside numbered blocks. A family
    not known here gets the path inside the block for a name."""
    block = block_of(path)
    if block is None or any(word in path for word in NO_LINEAR):
        return None
    layer, inside = block
    return layer, _SHORT_NAMES.get(inside, inside or "linear")


def in_order(places: Iterable[Place]) -> list[Place]:
    """By layer, then attention before feed-forward, then others by name."""
    return sorted(places, key=lambda place: (place.layer, module_rank(place.module), place.name))


def module_rank(module: str) -> int:
    """Where a place stands among those of its block."""
    return _ORDER.index(module) if module in _ORDER else len(_ORDER)


def modules_of(places: Iterable[Place]) -> list[str]:
    """The different places, in order."""
    return sorted(dict.fromkeys(place.module for place in places), key=module_rank)


ALL_OF_A_BLOCK = (
    "all linear layers of a block, as in the papers of AdaLoRA, IncreLoRA and TriAdaptLoRA: which of them need rank is "
    "what these methods are to find out"
)
_FUSED = "; this family keeps query, key and value in one matrix, which gets one rank"
_WORDS = {
    "modernbert": _FUSED + ", and so are gate and up",
    "gpt2": _FUSED,
    "gpt_neox": _FUSED,
    "t5": "; of the encoder only, for the decoder is not used",
    "mt5": "; of the encoder only, for the decoder is not used",
}


def why_these(model_type: str) -> str:
    """Why `adapt` means what it does where it is left empty, for a family of models."""
    return ALL_OF_A_BLOCK + _WORDS.get(model_type, "")
