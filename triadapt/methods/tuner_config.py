"""What the configurations of our growing tuners share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from triadapt.methods.adapter_config import AdapterConfig


@dataclass
class GrowingConfig(AdapterConfig):
    """Shared fields of tuners whose ranks grow; see `AdapterConfig` for the others.

    Args:
        init_r: rank every matrix starts with.
        reference_rank: budget, average rank a matrix at the end.
        add_r: ranks a matrix gains when it grows.
        alpha: the scale of the update is `alpha / reference_rank`; it does not change when a matrix grows.
        scale: `constant` as above; `rank` divides alpha by the current rank plus 1e-5, as the authors' code does.

    Raises ValueError naming the field, the value and the fix.
    """

    init_r: int = field(default=1, metadata={"help": "Rank every matrix starts with."})
    reference_rank: int = field(default=8, metadata={"help": "Budget: average rank a matrix at the end."})
    add_r: int = field(default=1, metadata={"help": "Ranks a matrix gains when it grows."})
    scale: str = field(default="constant", metadata={"help": "What alpha is divided by: constant or rank."})

    SCALES: ClassVar[tuple[str, ...]] = ("constant", "rank")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_at_least_one("init_r", "reference_rank", "add_r")
        if self.reference_rank < self.init_r:
            raise ValueError(
                f"reference_rank = {self.reference_rank}: must not be below init_r = {self.init_r}; "
                f"growing methods start low and end at the reference rank"
            )
        self.check_one_of("scale", self.SCALES)
