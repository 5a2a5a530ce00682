"""Names of datasets of the hub."""

from __future__ import annotations

import re

_DATASET = re.compile(r"[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?")


def dataset_problems(dataset: str, field: str) -> list[str]:
    """A line where `dataset`, the value of the setting `field`, is no id: a path would open files of this machine."""
    if _DATASET.fullmatch(dataset) and ".." not in dataset:
        return []
    return [f"{field} = {dataset[:100]!r}: not the id of a dataset; write it as owner/name"]
