"""A dataset of the hub as tables. Whatever is wrong is one line with the field's name."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

import pandas as pd

from triadapt.errors import ConfigError
from triadapt.pretrained.hub import one_line, without_waiting
from triadapt.pretrained.notes import tell
from triadapt.tasks.hub.settings import Settings
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
    datasets: Any = import_module("datasets")
    name = getattr(settings, side)
    tell(f"loading {settings.dataset} {settings.subset} {name}".replace("  ", " "))
    datasets.disable_progress_bars()
    with one_line("hub.dataset", settings.dataset), without_waiting():
        try:
            found = datasets.load_dataset(
                settings.dataset, settings.subset or None, split=name, revision=settings.dataset_revision or None
            )
        except Exception as error:
            raise _refused(settings, side, error) or error from None
    rows = found if most is None or len(found) <= most else found.select(range(most))
    frame = rows.to_pandas()
    label = found.features.get(settings.label)
    if hasattr(label, "int2str"):
        # A label of -1 is one that is kept secret, as in the test splits of GLUE.
        frame[settings.label] = [
            label.int2str(int(value)) if value is not None and value >= 0 else None for value in frame[settings.label]
        ]
    return frame, {"dataset_fingerprint": str(getattr(found, "_fingerprint", ""))}


def _refused(settings: Settings, side: str, error: Exception) -> ConfigError | None:
    """What the library says of a wrong name, as a line about the field that has it."""
    said = " ".join(str(error).split())
    subset = re.search(r"BuilderConfig '.*?' not found\. Available: \[(.*?)\]", said)
    if subset or "Config name is missing" in said:
        known = subset.group(1) if subset else "".join(re.findall(r"available configs: \[(.*?)\]", said))
        return ConfigError(
            [f"hub.subset = {settings.subset!r}: {settings.dataset} has {known.replace(chr(39), '')[:400]}"]
        )
    split = re.search(r"Unknown split \"?.*?\"?\. Should be one of \[(.*?)\]", said)
    if split:
        known = split.group(1).replace("'", "")
        return ConfigError([f"hub.{side} = {getattr(settings, side)!r}: {settings.dataset} has {known[:400]}"])
    kind = type(error).__name__
    if kind == "DatasetNotFoundError":
        if "gated" in said:
            why = "gated: accept its terms on huggingface.co, then run `hf auth login` on this machine"
        elif "Couldn't reach" in said or "offline" in said.lower():
            return None
        else:
            why = "not on the hub, or private; check the id, or log in with `hf auth login`"
        return ConfigError([f"hub.dataset = {settings.dataset!r}: {why}"])
    if "scripts are no longer supported" in said:
        return ConfigError(
            [f"hub.dataset = {settings.dataset!r}: it asks to run code of its own, which is never done here"]
        )
    if kind in ("DataFilesNotFoundError", "EmptyDatasetError", "DatasetGenerationError", "CastError"):
        return ConfigError([f"hub.dataset = {settings.dataset!r}: its files cannot be read as tables ({said[:160]})"])
    return None
