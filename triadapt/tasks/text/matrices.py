"""The linear layers of an encoder, with the short names the charts use."""

from __future__ import annotations

from torch import nn

from triadapt.events import Matrix

# Where common encoders keep the six linears of a block; the path inside the block on the left.
_SHORT_NAMES = {
    **{f"attention.self.{path}": path[0] for path in ("query", "key", "value", "query_proj", "key_proj", "value_proj")},
    "attention.output.dense": "o",
    "intermediate.dense": "up",
    "output.dense": "down",
    "attention.q_lin": "q",
    "attention.k_lin": "k",
    "attention.v_lin": "v",
    "attention.out_lin": "o",
    "ffn.lin1": "up",
    "ffn.lin2": "down",
    "self_attn.q_proj": "q",
    "self_attn.k_proj": "k",
    "self_attn.v_proj": "v",
    "self_attn.o_proj": "o",
    "mlp.gate_proj": "gate",
    "mlp.up_proj": "up",
    "mlp.down_proj": "down",
}
_ORDER = ("q", "k", "v", "o", "gate", "up", "down")


def encoder_matrices(model: nn.Module) -> list[Matrix]:
    """Every linear layer in the numbered blocks of `model.encoder`, by layer, then q, k, v, o, up, down, then others.

    A family not known here gets the path inside the block as the module's name. Raises ValueError when there is none.
    """
    matrices = []
    for path, layer in model.named_modules():
        if not isinstance(layer, nn.Linear) or not path.startswith("encoder."):
            continue
        parts = path.split(".")
        block = next((index for index, part in enumerate(parts) if part.isdecimal()), None)
        if block is None:
            continue  # projections outside the blocks, such as a pooler
        inside = ".".join(parts[block + 1 :])
        shape = (layer.out_features, layer.in_features)
        matrices.append(Matrix(path, int(parts[block]), _SHORT_NAMES.get(inside, inside or "linear"), shape))
    if not matrices:
        raise ValueError("the encoder has no linear layer inside numbered blocks, so there is nothing to adapt")
    return sorted(matrices, key=lambda matrix: (matrix.layer, _rank(matrix.module), matrix.name))


def _rank(module: str) -> int:
    return _ORDER.index(module) if module in _ORDER else len(_ORDER)
