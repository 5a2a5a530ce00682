"""Settings of the text task."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from triadapt.tasks.labelled.settings import LabelledSettings


class Settings(LabelledSettings):
    """A small pretrained encoder on the docstrings of installed libraries."""

    max_tokens: int = Field(48, ge=8, le=512, description="Longest input in tokens.")
    labels: Literal["pair", "library"] = Field(
        "pair", description="pair: does this summary belong to this name? library: which library is it from?"
    )
    train_rows: int = Field(6000, ge=16, le=200_000, description="Training rows.")
    dev_rows: int = Field(600, ge=16, le=20_000, description="Held-out rows, from other modules.")
