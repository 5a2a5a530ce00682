"""The recorded races of the lessons, for readers without a server to train on: what each would show."""

from __future__ import annotations

import functools
from importlib import resources
from pathlib import Path
from typing import Any

from triadapt.lessons.wrong import PRESETS
from triadapt.runs.bundle import SUFFIX, BundleRun, read_bundle

CHANGE_FILE = "full_change.safetensors"
FOLDER = Path(str(resources.files("triadapt.lessons"))) / "recorded"
# What the recorded race of a lesson was asked with; of a preset that fails, the suspect that is to blame.
ASKED: dict[str, dict[str, Any]] = {
    "one-rank": {},
    "prune-or-grow": {},
    "capstone": {"warmup": 10, "interval": 5},
    **{slug: {"suspect": preset.blame} for slug, preset in PRESETS.items()},
}


def recording_path(slug: str) -> Path:
    """The file of a lesson's recorded race."""
    return FOLDER / f"{slug}{SUFFIX}"


@functools.cache
def recorded_lesson(slug: str) -> list[BundleRun]:
    """The recorded runs of a lesson's race, in order; empty where it has none. Raises RunError."""
    path = recording_path(slug)
    return read_bundle(path) if slug in ASKED and path.is_file() else []
