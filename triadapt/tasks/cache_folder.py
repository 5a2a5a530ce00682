"""The per-user folder for what is cheap to rebuild and tedious to wait for."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any


def cache_folder() -> Path:
    """`$TRIADAPT_CACHE` when set, else `~/.cache/triadapt`. The folder need not exist yet."""
    chosen = os.environ.get("TRIADAPT_CACHE", "")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "triadapt"


def cache_key(facts: dict[str, Any]) -> str:
    """16 hex digits that change with any of the facts (JSON types only)."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def read_sealed(file: Path) -> str | None:
    """Text written by `write_sealed`, or None when the file is missing, unreadable, cut short or altered."""
    try:
        seal, _, text = file.read_text(encoding="utf-8").partition("\n")
    except (OSError, UnicodeDecodeError):
        return None
    return text if seal == _seal(text) else None


def write_sealed(file: Path, text: str) -> bool:
    """Write text under its own checksum, all or nothing. False when the folder cannot be written: the caller goes on
    without a cache."""
    temporary = ""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f"{file.name}.", dir=file.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(f"{_seal(text)}\n{text}")
        Path(temporary).replace(file)
    except OSError:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        return False
    return True


def _seal(text: str) -> str:
    return f"sha256 {hashlib.sha256(text.encode()).hexdigest()}"
