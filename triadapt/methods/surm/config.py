"""Configuration of the SURM tuner (arXiv 2406.17740)."""

from __future__ import annotations

from dataclasses import dataclass, field

from peft.utils import PeftType

from triadapt.methods.adapter_config import AdapterConfig
from triadapt.methods.surm.sizes import STRUCTURES


@dataclass
class SurmConfig(AdapterConfig):
    """Configuration of a `SurmModel`: the update of a layer is `alpha / sqrt(in)` times a structured matrix.

    See `AdapterConfig` for the other fields.

    Args:
        structure: `displacement`, sums of a circulant times a skew-circulant; `circulant` or `toeplitz` (symmetric),
            which have the fewest numbers; `kronecker`.
        displacement_rank: how many products `displacement` sums.
        factor: `kronecker`: rows and columns of its first factor, where they divide those of the layer; 0: near the
            square roots, as PEFT's LoKr with `decompose_factor = -1`.

    Raises ValueError naming the field, the value and the fix.
    """

    structure: str = field(default="displacement", metadata={"help": "displacement, circulant, toeplitz or kronecker."})
    displacement_rank: int = field(default=1, metadata={"help": "Products that displacement sums."})
    factor: int = field(default=0, metadata={"help": "Size of Kronecker's first factor; 0: near the square roots."})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_one_of("structure", STRUCTURES)
        self.check_at_least_one("displacement_rank")
        if self.factor < 0:
            raise ValueError(f"factor = {self.factor}: must be at least 0; 0 chooses sizes near the square roots")
        self.peft_type = PeftType.SURM
