"""Settings of the task on tables of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from triadapt.tasks.labelled.settings import TableSettings

KINDS = (".csv", ".tsv", ".jsonl", ".parquet")


class Settings(TableSettings):
    """A pretrained model on a table: one text or a pair a row, and a class or a number."""

    train: str = Field(
        "", description="Training rows: a .csv, .tsv, .jsonl or .parquet file, or a folder that has a "
        "train file of these, and perhaps one called dev, validation or test.",
    )  # fmt: skip
    dev: str = Field("", description="Held-out rows, a file of the same columns; empty: every tenth training row.")

    def check(self, config: Any) -> list[str]:
        """What can be known without opening a file."""
        if not self.train:
            return [f"files.train = '': name a file of training rows, one of {', '.join(KINDS)}"]
        return [
            *(
                f"files.{side} = {name!r}: cannot be read as a table; give one of {', '.join(KINDS)}"
                for side, name in (("train", self.train), ("dev", self.dev))
                if name and Path(name).suffix and Path(name).suffix.lower() not in KINDS
            ),
            *self.metric_problems("files"),
        ]
