"""Settings of the task on questions and answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from triadapt.pretrained.settings import PretrainedSettings
from triadapt.tasks.hub.names import dataset_problems

KINDS = (".json", ".jsonl")


class Settings(PretrainedSettings):
    """A pretrained model that finds answers in a context, or says that there is none."""

    train: str = Field(
        "", description="Training questions: a .json file as SQuAD v2 has it, or a .jsonl file of a question a row "
        "with id, context, question and answers.",
    )  # fmt: skip
    dev: str = Field("", description="Held-out questions, a file of these; empty: those of one context in ten.")
    dataset: str = Field(
        "", max_length=300, description="Instead of files a dataset of the hub, such as rajpurkar/squad_v2."
    )
    dataset_revision: str = Field(
        "", max_length=100, pattern=r"^[\w./-]*$", description="Branch, tag or commit; empty: the main branch."
    )
    train_split: str = Field("train", max_length=300, description="Split of the dataset that trains.")
    dev_split: str = Field("validation", max_length=300, description="Split of the dataset that is held out.")
    max_tokens: int = Field(384, ge=32, le=8192, description="Longest window of question and context in tokens.")
    stride: int = Field(128, ge=0, le=4096, description="Tokens that neighbouring windows of a long context share.")
    max_answer_tokens: int = Field(30, ge=1, le=1000, description="Longest answer in tokens.")
    train_rows: int = Field(20_000, ge=8, le=2_000_000, description="Most training questions; the first.")
    eval_rows: int = Field(
        200, ge=8, le=200_000, description="Held-out questions scored at each evaluation, spread evenly over all."
    )
    no_answer_threshold: float = Field(
        0.0, ge=-1000, le=1000, allow_inf_nan=False,
        description="By how much the score of no answer must exceed that of the best one to be given.",
    )  # fmt: skip

    def check(self, config: Any) -> list[str]:
        """What can be known without opening a file."""
        lines = []
        if self.stride > self.max_tokens // 2:
            lines.append(
                f"qa.stride = {self.stride}: must be at most {self.max_tokens // 2}, half of qa.max_tokens, so that "
                f"windows move on"
            )
        if self.dataset:
            lines += dataset_problems(self.dataset, "qa.dataset")
            lines += [
                f"qa.{side} = {name!r}: qa.dataset is named, too; leave one of them out"
                for side, name in (("train", self.train), ("dev", self.dev))
                if name
            ]
            return lines
        if not self.train:
            return [f"qa.train = '': name a file of questions, one of {', '.join(KINDS)}, or qa.dataset", *lines]
        lines += [
            f"qa.{side} = {name!r}: cannot be read as questions; give one of {', '.join(KINDS)}"
            for side, name in (("train", self.train), ("dev", self.dev))
            if name and Path(name).suffix.lower() not in KINDS
        ]
        return lines
