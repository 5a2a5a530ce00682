"""Settings of the task on plain text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from triadapt.pretrained.settings import PretrainedSettings

KINDS = (".txt", ".md", ".jsonl", ".parquet")
NAME_ONE = "name a decoder: a local folder, or a hub id such as HuggingFaceTB/SmolLM2-135M"


class Settings(PretrainedSettings):
    """A pretrained decoder on text of your own."""

    model: str = Field(
        "", max_length=1000, description="The folder of a causal language model, or its hub id; none comes along."
    )
    train: str = Field(
        "", description="Training text: a .txt or .md file, a folder of these, or the documents of a .jsonl or "
        ".parquet file.",
    )  # fmt: skip
    dev: str = Field("", description="Held-out text, named likewise; empty: a tenth of the training text.")
    text: str = Field("text", min_length=1, max_length=300, description="Column of the text, of .jsonl and .parquet.")
    block: int = Field(128, ge=8, le=8192, description="Tokens of a block; text is packed into blocks without gaps.")
    train_rows: int = Field(20_000, ge=4, le=2_000_000, description="Most training blocks; the first.")
    eval_rows: int = Field(64, ge=1, le=200_000, description="Held-out blocks scored at each evaluation; the first.")

    def longest(self) -> tuple[str, int]:
        """Name and value of the setting that says how many tokens the model takes at once."""
        return "block", self.block

    def check(self, config: Any) -> list[str]:
        """What can be known without opening a file."""
        lines = []
        if not self.model:
            lines.append(f"causal.model = '': {NAME_ONE}")
        elif self.model == "minilm":
            lines.append(
                f"causal.model = 'minilm': an encoder, which sees the words it would have to guess; {NAME_ONE}"
            )
        if not self.train:
            lines.append(f"causal.train = '': name a folder or a file of text, one of {', '.join(KINDS)}")
        return lines + [
            f"causal.{side} = {name!r}: cannot be read as text; give a folder, or one of {', '.join(KINDS)}"
            for side, name in (("train", self.train), ("dev", self.dev))
            if Path(name).suffix and Path(name).suffix.lower() not in KINDS and not _folder(name)
        ]


def _folder(name: str) -> bool:
    try:
        return Path(name).expanduser().is_dir()
    except (OSError, ValueError, RuntimeError):
        return False
