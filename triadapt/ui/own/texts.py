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

HELD_OUT = ("dev", "val", "test")


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
        "Or the path of a file or folder on this machine", key=f"own_path-{task}", persist_state="session",
        placeholder=example, help=help,
    ).strip()  # fmt: skip
    try:
        if uploads:
            kept = kept_once(runs, uploads, kinds, f"{task}.train")
            return DataChoice(task, sides(kept))
        if path:
            return DataChoice(task, sides(Path(path)))
    except ConfigError as error:
        return DataChoice(task, {}, problems=error.lines)
    return DataChoice(task, {}, missing=f"{label}, or name a path.")


def _beside(path: Path) -> dict[str, Any]:
    """The two sides of a folder, by how the names of its files begin. Raises ConfigError where that is not clear."""
    try:
        files = sorted(file for file in path.iterdir() if file.is_file()) if path.expanduser().is_dir() else []
    except OSError:
        files = []
    if not files:
        return {"train": str(path)}
    of_side = {side: [file for file in files if file.stem.lower().startswith(side)] for side in ("train", *HELD_OUT)}
    if len(of_side["train"]) != 1:
        there = ", ".join(file.name for file in of_side["train"]) or "none"
        raise ConfigError([f"qa.train = {str(path)!r}: needs one file whose name begins with train, and has {there}"])
    dev = next((found[0] for side in HELD_OUT if (found := of_side[side])), None)
    return {"train": str(of_side["train"][0]), **({"dev": str(dev)} if dev else {})}
