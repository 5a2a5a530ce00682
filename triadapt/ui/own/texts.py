"""Which data, for the tasks whose data is no table: questions and answers, and plain text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from triadapt.errors import ConfigError
from triadapt.runs.uploads import LARGEST_MB
from triadapt.tasks.causal.settings import KINDS as TEXTS
from triadapt.tasks.qa.settings import KINDS as QUESTIONS
from triadapt.ui.own.data import DataChoice
from triadapt.ui.own.kept import kept_once

HELD_OUT = ("dev", "validation", "valid", "val", "test")


def choose_questions(runs: Path) -> DataChoice:
    """Draw the choice of questions in the format of SQuAD v2."""
    return _choose(
        runs, "qa", QUESTIONS, "Upload questions, or a file called train and one called dev", "train-v2.0.json",
        "A .json file as SQuAD v2 has it, or a .jsonl file of a question a row with id, context, question and answers.",
        _beside,
    )  # fmt: skip


def choose_text(runs: Path) -> DataChoice:
    """Draw the choice of plain text."""
    return _choose(
        runs, "causal", TEXTS, "Upload text", "notes.txt",
        "A .txt or .md file, several of them, or the documents of a .jsonl or .parquet file.",
        lambda path: {"train": str(path)},
    )  # fmt: skip


def _choose(
    runs: Path, task: str, kinds: tuple[str, ...], label: str, example: str, help: str,
    sides: Callable[[Path], dict[str, Any]],
) -> DataChoice:  # fmt: skip
    uploads = st.file_uploader(
        label, type=[kind[1:] for kind in kinds], key=f"own_upload-{task}", accept_multiple_files=True,
        max_upload_size=LARGEST_MB, help=f"{help} It stays on this machine.",
    )  # fmt: skip
    path = st.text_input(
        "Or the path of a file or folder on this machine", key=f"own_path-{task}", persist_state="page",
        placeholder=example, help=help,
    ).strip()  # fmt: skip
    if uploads:
        try:
            kept = kept_once(runs, uploads, kinds, f"{task}.train")
        except ConfigError as error:
            return DataChoice(task, {}, problems=error.lines)
        return DataChoice(task, sides(kept))
    if not path:
        return DataChoice(task, {}, missing=f"{label}, or name a path.")
    return DataChoice(task, sides(Path(path)))


def _beside(path: Path) -> dict[str, Any]:
    """The two sides of a folder, by the names of its files."""
    try:
        files = sorted(path.iterdir()) if path.expanduser().is_dir() else []
    except OSError:
        files = []
    dev = next((file for file in files if file.stem.lower() in HELD_OUT), None)
    train = next((file for file in files if file != dev), path)
    return {"train": str(train), **({"dev": str(dev)} if dev else {})}
