"""Settings of the task on tables of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from triadapt.tasks.text.settings import EncoderSettings

KINDS = (".csv", ".tsv", ".jsonl", ".parquet")


class Settings(EncoderSettings):
    """A small pretrained encoder on a table: one text or a pair a row, and a label."""

    train: str = Field("", description="Training rows: a .csv, .tsv, .jsonl or .parquet file.")
    dev: str = Field("", description="Held-out rows, a file of the same columns; empty: every tenth training row.")
    text: str = Field("text", description="Column of the text.")
    text_pair: str = Field("", description="Column of the second text, where rows are pairs.")
    label: str = Field("label", description="Column of the class.")
    train_rows: int = Field(20_000, ge=16, le=1_000_000, description="Most training rows; the first of the file.")
    max_tokens: int = Field(64, ge=8, le=512, description="Longest input in tokens.")

    def check(self, config: Any) -> list[str]:
        """What can be known without opening a file."""
        if not self.train:
            return [f"files.train = '': name a file of training rows, one of {', '.join(KINDS)}"]
        return [
            f"files.{side} = {name!r}: cannot be read as a table; give one of {', '.join(KINDS)}"
            for side, name in (("train", self.train), ("dev", self.dev))
            if name and Path(name).suffix.lower() not in KINDS
        ]
