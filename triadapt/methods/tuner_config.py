"""What the configurations of our growing tuners share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from peft.config import PeftConfig


@dataclass
class GrowingConfig(PeftConfig):  # type: ignore[misc]
    """Shared fields of tuners whose ranks grow.

    Args:
        target_modules: names of the linear layers to adapt, or a regular expression.
        exclude_modules: layers to leave out, or a regular expression.
        init_r: rank every matrix starts with.
        reference_rank: budget, average rank a matrix at the end.
        add_r: ranks a matrix gains when it grows.
        alpha: the scale of the update is `alpha / reference_rank`; it does not change when a matrix grows.
        scale: `constant` as above; `rank` divides alpha by the current rank plus 1e-5, as the authors' code does.
        dropout: dropout on the input of the adapter.
        fan_in_fan_out: True for layers that store `(in, out)`, such as GPT-2's Conv1D; set by itself.
        modules_to_save: modules outside the adapter that are trained and saved too, such as a classification head.
        bias: which biases are trained; only `none`.

    Raises ValueError naming the field, the value and the fix.
    """

    init_r: int = field(default=1, metadata={"help": "Rank every matrix starts with."})
    reference_rank: int = field(default=8, metadata={"help": "Budget: average rank a matrix at the end."})
    add_r: int = field(default=1, metadata={"help": "Ranks a matrix gains when it grows."})
    alpha: float = field(default=16.0, metadata={"help": "The scale is alpha / reference_rank."})
    scale: str = field(default="constant", metadata={"help": "What alpha is divided by: constant or rank."})
    dropout: float = field(default=0.0, metadata={"help": "Dropout on the input of the adapter."})
    target_modules: list[str] | str | None = field(default=None, metadata={"help": "Linear layers to adapt."})
    exclude_modules: list[str] | str | None = field(default=None, metadata={"help": "Layers to leave out."})
    fan_in_fan_out: bool = field(default=False, metadata={"help": "True for layers that store (in, out)."})
    bias: str = field(default="none", metadata={"help": "Only 'none' is supported."})
    modules_to_save: list[str] | None = field(default=None, metadata={"help": "Other modules to train and save."})
    layers_to_transform: list[int] | int | None = field(default=None, metadata={"help": "Layer indices to adapt."})
    layers_pattern: list[str] | str | None = field(default=None, metadata={"help": "Name of the list of layers."})

    SCALES: ClassVar[tuple[str, ...]] = ("constant", "rank")

    def __post_init__(self) -> None:
        super().__post_init__()
        # PEFT matches a set of names by suffix and a string as a regular expression.
        if isinstance(self.target_modules, list):
            self.target_modules = set(self.target_modules)  # type: ignore[assignment]
        if isinstance(self.exclude_modules, list):
            self.exclude_modules = set(self.exclude_modules)  # type: ignore[assignment]
        for name in ("init_r", "reference_rank", "add_r"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)}: must be at least 1")
        if self.reference_rank < self.init_r:
            raise ValueError(
                f"reference_rank = {self.reference_rank}: must not be below init_r = {self.init_r}; "
                f"growing methods start low and end at the reference rank"
            )
        if not self.alpha > 0:
            raise ValueError(f"alpha = {self.alpha}: must be above 0")
        if self.scale not in self.SCALES:
            raise ValueError(f"scale = {self.scale!r}: must be one of {', '.join(self.SCALES)}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout = {self.dropout}: must be at least 0 and below 1")
        if self.bias != "none":
            raise ValueError(f"bias = {self.bias!r}: only 'none' is supported")
