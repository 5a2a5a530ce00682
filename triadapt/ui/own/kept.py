"""Uploaded files beside the runs, written once however often the page runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import streamlit as st

from triadapt.runs.uploads import keep_files

KEPT = "own_kept"


class Upload(Protocol):
    """A file that came from the browser."""

    file_id: str
    name: str

    def getvalue(self) -> bytes: ...


def kept_once(runs: Path, uploads: Sequence[Upload], kinds: Sequence[str], field: str) -> Path:
    """As `keep_files`; files that were kept in this session are not read again. Raises ConfigError."""
    known: dict[tuple[str, ...], Path] = st.session_state.setdefault(KEPT, {})
    key = (str(runs), field, *(one.file_id for one in uploads))
    if key not in known or not known[key].exists():
        known[key] = keep_files(runs, [(one.name, one.getvalue()) for one in uploads], kinds, field)
    return known[key]
