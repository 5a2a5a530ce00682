"""Settings of the task on datasets of the hub."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from triadapt.tasks.hub.names import dataset_problems
from triadapt.tasks.labelled.settings import TableSettings


class Settings(TableSettings):
    """A pretrained model on a dataset of the hub: one text or a pair a row, and a class or a number."""

    dataset: str = Field("", max_length=200, description="Id of the dataset, such as nyu-mll/glue.")
    subset: str = Field("", max_length=200, description="Its configuration, such as sst2; empty: the only one.")
    dataset_revision: str = Field(
        "", max_length=100, pattern=r"^[\w./-]*$", description="Branch, tag or commit; empty: the main branch."
    )
    train_split: str = Field("train", max_length=100, description="Split of the training rows.")
    dev_split: str = Field(
        "validation", max_length=100, description="Split of the held-out rows; empty: every tenth training row."
    )

    def check(self, config: Any) -> list[str]:
        """What can be known without a network."""
        if not self.dataset:
            return ["hub.dataset = '': name a dataset of the hub, such as nyu-mll/glue"]
        lines = self.metric_problems("hub") + dataset_problems(self.dataset, "hub.dataset")
        if not self.train_split:
            lines.append("hub.train_split = '': name the split of the training rows, such as train")
        return lines
