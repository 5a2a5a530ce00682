"""A split of a dataset of the hub, from the cache where nobody answers. Whatever is wrong is one line with the field's
name; nothing of the dataset's own is run."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

from triadapt.errors import ConfigError
from triadapt.pretrained.hub import one_line, without_waiting
from triadapt.pretrained.notes import tell
from triadapt.tasks.hub.names import dataset_problems


def load_split(dataset: str, side: tuple[str, str], *, section: str, subset: str = "", revision: str = "") -> Any:
    """The rows, a `datasets.Dataset`. side: the field that names the split, and its name. section: of the settings, for
    errors. Raises ConfigError."""
    if lines := dataset_problems(dataset, f"{section}.dataset"):
        raise ConfigError(lines)
    if Path(dataset).exists():  # which the library would open instead
        raise ConfigError([f"{section}.dataset = {dataset!r}: a folder here is called so; start from another folder"])
    datasets: Any = import_module("datasets")
    field, split = side
    tell(" ".join(f"loading {dataset} {subset} {split}".split()))
    datasets.disable_progress_bars()
    with one_line(f"{section}.dataset", dataset), without_waiting():
        try:
            return datasets.load_dataset(dataset, subset or None, split=split, revision=revision or None)
        except Exception as error:
            said = " ".join(str(error).split())
            line = _about_names(said, dataset, subset, f"{section}.{field} = {split!r}", section)
            line = line or _about_dataset(type(error).__name__, said, f"{section}.dataset = {dataset!r}")
            if line is None:
                raise
            raise ConfigError([line]) from error


def _about_names(said: str, dataset: str, subset: str, split_is: str, section: str) -> str | None:
    """What the library says of a wrong subset or split, which tells those that there are."""
    found = re.search(r"BuilderConfig '.*?' not found\. Available: \[(.*?)\]", said)
    if found is None and "Config name is missing" in said:
        found = re.search(r"available configs: \[(.*?)\]", said)
    if found is not None:
        return f"{section}.subset = {subset!r}: {dataset} has {_names(found[1])}"
    found = re.search(r"Unknown split \"?.*?\"?\. Should be one of \[(.*?)\]", said)
    return None if found is None else f"{split_is}: {dataset} has {_names(found[1])}"


def _names(listed: str) -> str:
    return listed.replace("'", "")[:400]


def _about_dataset(kind: str, said: str, begin: str) -> str | None:
    if "scripts are no longer supported" in said:
        return f"{begin}: it asks to run code of its own, which is never done here"
    if kind == "DatasetNotFoundError":
        if "gated" in said:
            return f"{begin}: gated: accept its terms on huggingface.co, then run `hf auth login` on this machine"
        if "Couldn't reach" in said or "offline" in said.lower():
            return None
        return f"{begin}: not on the hub, or private; check the id, or log in with `hf auth login`"
    if kind in ("DataFilesNotFoundError", "EmptyDatasetError", "DatasetGenerationError", "CastError"):
        return f"{begin}: its files cannot be read as tables ({said[:160]})"
    return None
