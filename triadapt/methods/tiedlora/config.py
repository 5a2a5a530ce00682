"""Configuration of the Tied-LoRA tuner (arXiv 2311.09578)."""

from __future__ import annotations

from dataclasses import dataclass, field

from peft.utils import PeftType

from triadapt.methods.adapter_config import AdapterConfig
from triadapt.methods.tiedlora.counting import check_trains


@dataclass
class TiedLoraConfig(AdapterConfig):
    """Configuration of a `TiedLoraModel`: the update of a layer is `alpha / r * diag(v) B diag(u) A`.

    A `(r, in)` and B `(out, r)` are one pair for all adapted layers of the same shape; the vectors u `(r)` and
    v `(out)` are the layer's own. The update starts at 0, because B does if it is trained, else v, else A, else u. The
    others start as LoRA draws its A (uniform, up to `1 / sqrt(in)`; B, where it is frozen, up to `1 / sqrt(r)`), and
    with u and v of ones. See `AdapterConfig` for the other fields.

    Args:
        r: rank of the pair, for all layers the same.
        trains: what is trained, the rest being frozen: some of the letters v, B, u, A in this order, at least one. The
            paper writes all four and marks the frozen ones by colour; here they are left out, so that `vBuA` trains
            everything, `vu` is VeRA's choice and `BA` is LoRA with tied weights. Case tells vectors (v, u) from
            matrices (B, A) and nothing else.
        projection_seed: what frozen matrices are drawn with: the same for a shape and a rank wherever they are drawn,
            whatever else is adapted (over a base in half precision, rounded to it). They are saved with the adapter all
            the same, so loading one needs no seed.
    """

    r: int = field(default=8, metadata={"help": "Rank of the shared factors."})
    trains: str = field(default="vBuA", metadata={"help": "What is trained: letters of vBuA in this order."})
    projection_seed: int = field(default=0, metadata={"help": "What frozen matrices are drawn with."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_at_least_one("r")
        check_trains(self.trains)
        if not 0 <= self.projection_seed < 2**63:
            raise ValueError(f"projection_seed = {self.projection_seed}: must be at least 0 and below 2^63")
        self.peft_type = PeftType.TIEDLORA
