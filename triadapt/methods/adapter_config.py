"""What the configurations of all our tuners share."""

from __future__ import annotations

from dataclasses import dataclass, field

from peft.config import PeftConfig


@dataclass
class AdapterConfig(PeftConfig):  # type: ignore[misc]
    """Fields that every tuner of this package has.

    Args:
        target_modules: names of the linear layers to adapt, or a regular expression.
        exclude_modules: layers to leave out, or a regular expression.
        alpha: the scale of the update; what it is divided by, a tuner says.
        dropout: dropout on the input of the adapter.
        fan_in_fan_out: True for layers that store `(in, out)`, such as GPT-2's Conv1D; set by itself.
        modules_to_save: modules outside the adapter that are trained and saved too, such as a classification head.
        bias: which biases are trained; only `none`.
        layers_to_transform: indices of the blocks to adapt; None: all.
        layers_pattern: name of the list of blocks, where PEFT does not know it.

    Raises ValueError naming the field, the value and the fix.
    """

    alpha: float = field(default=16.0, metadata={"help": "Scale of the update."})
    dropout: float = field(default=0.0, metadata={"help": "Dropout on the input of the adapter."})
    target_modules: list[str] | str | None = field(default=None, metadata={"help": "Linear layers to adapt."})
    exclude_modules: list[str] | str | None = field(default=None, metadata={"help": "Layers to leave out."})
    fan_in_fan_out: bool = field(default=False, metadata={"help": "True for layers that store (in, out)."})
    bias: str = field(default="none", metadata={"help": "Only 'none' is supported."})
    modules_to_save: list[str] | None = field(default=None, metadata={"help": "Other modules to train and save."})
    layers_to_transform: list[int] | int | None = field(default=None, metadata={"help": "Layer indices to adapt."})
    layers_pattern: list[str] | str | None = field(default=None, metadata={"help": "Name of the list of layers."})

    def __post_init__(self) -> None:
        super().__post_init__()
        # PEFT matches a set of names by suffix and a string as a regular expression.
        if isinstance(self.target_modules, list):
            self.target_modules = set(self.target_modules)  # type: ignore[assignment]
        if isinstance(self.exclude_modules, list):
            self.exclude_modules = set(self.exclude_modules)  # type: ignore[assignment]
        if not self.alpha > 0:
            raise ValueError(f"alpha = {self.alpha}: must be above 0")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout = {self.dropout}: must be at least 0 and below 1")
        if self.bias != "none":
            raise ValueError(f"bias = {self.bias!r}: only 'none' is supported")

    def check_at_least_one(self, *names: str) -> None:
        """Raise ValueError for the first of these fields that is below 1."""
        for name in names:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)}: must be at least 1")

    def check_one_of(self, name: str, known: tuple[str, ...]) -> None:
        """Raise ValueError where a field is none of `known`."""
        if getattr(self, name) not in known:
            raise ValueError(f"{name} = {getattr(self, name)!r}: must be one of {', '.join(known)}")
