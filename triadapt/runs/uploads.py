"""Files that visitors hand over to be trained on: kept beside the runs, by their content."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from triadapt.errors import ConfigError

FOLDER = "uploads"
LARGEST_MB = 200
MOST_MB, MOST_FILES = 400, 20
"""Of one upload."""


def keep_files(runs: Path, files: Sequence[tuple[str, bytes]], kinds: Sequence[str], field: str) -> Path:
    """Write named files, whole or not at all, and return where they are: the file, or of several their folder. The same
    files again are not written again. kinds: endings that may be. field: begins the line of a ConfigError."""
    lines = [f"{field}: {line}" for line in _problems(files, kinds)]
    if lines:
        raise ConfigError(lines)
    digest = hashlib.sha256()
    for name, content in sorted(files):
        digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    place = runs / FOLDER / digest.hexdigest()[:16]
    try:
        if not place.is_dir():
            _write(place, files)
    except OSError as error:
        told = error.strerror or str(error)
        raise ConfigError(
            [f"{field}: cannot be kept in {place.parent} ({told}); make room or let it be written to"]
        ) from None
    return place / files[0][0] if len(files) == 1 else place


def _write(place: Path, files: Sequence[tuple[str, bytes]]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(dir=place.parent, prefix=".new-"))
    try:
        for name, content in files:
            (new / name).write_bytes(content)
        os.replace(new, place)
    except OSError:
        if not place.is_dir():  # else another visitor was quicker with the same files
            raise
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _problems(files: Sequence[tuple[str, bytes]], kinds: Sequence[str]) -> list[str]:
    lines = []
    names = [name for name, _ in files]
    for name, content in files:
        if name != Path(name).name or name.startswith(".") or len(name) > 150 or not name.isprintable():
            lines.append(f"{name[:60]!r} is no name for a file here; rename it")
        elif not name.lower().endswith(tuple(kinds)):
            lines.append(f"{name!r} cannot be read; give one of {', '.join(kinds)}")
        elif not content:
            lines.append(f"{name!r} is empty")
        elif len(content) > LARGEST_MB * 1024**2:
            size = len(content) / 1024**2
            lines.append(f"{name!r} has {size:.0f} MB, the limit is {LARGEST_MB}; name its path instead")
    if len(files) > MOST_FILES:
        lines = [f"{len(files)} files, the limit is {MOST_FILES}; name the path of their folder instead"]
    total = sum(len(content) for _, content in files) / 1024**2
    if total > MOST_MB:
        lines.append(f"{total:.0f} MB in {len(files)} files, the limit is {MOST_MB}; name their path instead")
    if len(set(names)) < len(names):
        lines.append("two files have the same name; rename one")
    return lines or ([] if files else ["no file; choose one"])
