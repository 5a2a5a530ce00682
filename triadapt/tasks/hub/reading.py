"""A dataset of the hub as tables. Whatever is wrong is one line with the field's name."""

from __future__ import annotations

from typing import Any

import pandas as pd

from triadapt.tasks.hub.settings import Settings
from triadapt.tasks.hub.split import load_split
from triadapt.tasks.labelled.table import Tables

SPARE = 1000


def tables_of(settings: Settings) -> tuple[Tables, dict[str, Any]]:
    """The splits that the settings name, downloaded where the cache has them not, with classes by their names; and
    facts to write down. Nothing of the dataset's own is run. Raises ConfigError."""
    train, facts = _split(settings, "train_split", settings.train_rows + SPARE if settings.dev_split else None)
    dev, _ = _split(settings, "dev_split", None) if settings.dev_split else (None, {})
    return Tables(
        "hub", train, dev, f"hub.train_split = {settings.train_split!r}", f"hub.dev_split = {settings.dev_split!r}",
        "a split of held-out rows in hub.dev_split",
    ), {"dataset": settings.dataset, "subset": settings.subset, **facts}  # fmt: skip


def _split(settings: Settings, side: str, most: int | None) -> tuple[pd.DataFrame, dict[str, Any]]:
    found = load_split(
        settings.dataset, (side, getattr(settings, side)), section="hub", subset=settings.subset,
        revision=settings.dataset_revision,
    )  # fmt: skip
    rows = found if most is None or len(found) <= most else found.select(range(most))
    frame: pd.DataFrame = rows.to_pandas()
    label = found.features.get(settings.label)
    if hasattr(label, "int2str"):
        # A label of -1 is one that is kept secret, as in the test splits of GLUE.
        frame[settings.label] = [
            label.int2str(int(value)) if value is not None and value >= 0 else None for value in frame[settings.label]
        ]
    return frame, {"dataset_fingerprint": str(getattr(found, "_fingerprint", ""))}
