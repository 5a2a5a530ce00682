"""Which data: files, a dataset of the hub, or a task of GLUE; what is in it, before anything is trained on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from triadapt.config import parse_config
from triadapt.errors import ConfigError
from triadapt.runs.uploads import LARGEST_MB
from triadapt.tasks.existing_file import stamp
from triadapt.tasks.files.reading import READERS, read_table, sides_of
from triadapt.tasks.files.table import labelled_text
from triadapt.tasks.hub.peek import peek
from triadapt.tasks.hub.presets import GLUE
from triadapt.tasks.labelled.look import DataLook, guessed_columns, look
from triadapt.tasks.labelled.settings import METRICS
from triadapt.ui.markdown import plain
from triadapt.ui.own.kept import kept_once

MOST_LOOKED_AT = 100_000
NONE = "(none)"
LONGEST_SHOWN = 300


@dataclass(frozen=True)
class DataChoice:
    """task: whose section `values` belong to. rows: training rows, 0 while not known. missing: what is still to be
    done, in words."""

    task: str
    values: dict[str, Any]
    rows: int = 0
    problems: list[str] = field(default_factory=list)
    missing: str = ""


def choose_files(runs: Path) -> DataChoice:
    """Draw the choice of a table: upload or path, columns, what is learned."""
    uploads = st.file_uploader(
        "Upload a table, or one called train and one called dev", type=[kind[1:] for kind in READERS], key="own_upload",
        accept_multiple_files=True, max_upload_size=LARGEST_MB, help="One text or a pair of texts a row, and a label. "
        "It stays on this machine.",
    )  # fmt: skip
    path = st.text_input(
        "Or the path of a file or folder on this machine", key="own_path", persist_state="session",
        placeholder="reviews.csv", help="A .csv, .tsv, .jsonl or .parquet file, or a folder with a train file.",
    ).strip()  # fmt: skip
    try:
        if uploads:
            path = str(kept_once(runs, uploads, list(READERS), "files.train"))
        if not path:
            st.caption("A row is a text, or two, and a label, under a line of names:")
            st.code("text,label\nwhat a fine film,good\nI left after an hour,bad", language=None)
            return DataChoice("files", {}, missing="Upload a table, or name one.")
        train, dev = sides_of(path, "")
        head = _head(train, stamp(train))
    except ConfigError as error:
        return DataChoice("files", {"train": path}, problems=error.lines)
    st.dataframe(shown(head.head(8)), hide_index=True, height=min(320, 38 + 35 * min(8, len(head))))
    values = {"train": path, **_columns(head, key=path), **_learned("files", head)}
    problems, rows = _say_look(values, stamp(train), stamp(dev))
    return DataChoice("files", values, rows, problems)


def choose_hub(preset: Mapping[str, Any] | None) -> DataChoice:
    """Draw the choice of a dataset of the hub; with a preset it is made."""
    if preset is None:
        dataset = st.text_input(
            "Dataset",
            key="own_dataset",
            persist_state="session",
            placeholder="nyu-mll/glue",
            help="Id of a dataset of the hub, its owner before the slash.",
        ).strip()
        if not dataset:
            return DataChoice("hub", {}, missing="Name a dataset of the hub.")
        one, two = st.columns(2)
        names = {
            "subset": one.text_input("Subset", key="own_subset", persist_state="session",
                                     help="Such as sst2; empty: the only one."),
            "train_split": two.text_input("Training split", "train", key="own_train_split", persist_state="session",
                help="Which split of the dataset is trained on."),
            "dev_split": one.text_input("Held-out split", "validation", key="own_dev_split", persist_state="session",
                                        help="Empty: every tenth training row."),
            "text": two.text_input("Text column", "text", key="own_text_name", persist_state="session",
                help="The name of the column that the model reads."),
            "text_pair": one.text_input("Second text column", key="own_pair_name", persist_state="session",
                help="The name of the column of the second text; empty where rows are single texts."),
            "label": two.text_input("Label column", "label", key="own_label_name", persist_state="session",
                help="The name of the column that is learned."),
        }  # fmt: skip
        values = {"dataset": dataset, **{name: text.strip() for name, text in names.items()}, **_learned("hub", None)}
    else:
        values = dict(preset)
        st.caption(", ".join(f"{name} {value}" for name, value in values.items() if value and name != "dataset"))
    return _peeked(values)


def choose_glue() -> DataChoice:
    """Draw the tasks of GLUE, one click each."""
    name = st.pills(
        "GLUE task",
        list(GLUE),
        key="own_glue",
        persist_state="session",
        help="Which of the nine tasks of the benchmark is trained on; columns and metric follow from it.",
    )
    if name is None:
        return DataChoice("hub", {}, missing="Choose a task of GLUE.")
    st.caption("The papers train DeBERTaV3-base on it; `recipes/` in the project has their settings.")
    return choose_hub(GLUE[name])


def _peeked(values: dict[str, Any]) -> DataChoice:
    known: dict[str, dict[str, Any]] = st.session_state.setdefault("own_peeks", {})
    key = repr(sorted(values.items()))
    if key not in known:
        st.caption("Not looked at yet. Training downloads what this machine's cache has not.")
        if st.button(
            "Download and look",
            icon=":material/download:",
            key="own_peek",
            help="Downloads the dataset and says what is in its rows.",
        ):
            with st.spinner("Asking the hub"):
                known[key] = peek(values)
    found = known.get(key)
    if found is None:
        return DataChoice("hub", values)
    if "head" in found:
        st.dataframe(shown(pd.DataFrame(found["head"])), hide_index=True)
    if "lines" in found:
        return DataChoice("hub", values, problems=list(found["lines"]))
    _say(found["rows"], found["balance"], None, found["words"], found["warnings"])
    return DataChoice("hub", values, int(found["rows"][0]))


def shown(rows: pd.DataFrame) -> pd.DataFrame:
    """The same rows for the browser: long texts cut, and lists as text if they are long."""
    return rows.map(_shown)


def _shown(cell: Any) -> Any:
    text = cell if isinstance(cell, str) else str(cell) if isinstance(cell, list | dict) else ""
    return f"{text[:LONGEST_SHOWN]}..." if len(text) > LONGEST_SHOWN else cell


def _columns(head: pd.DataFrame, key: str) -> dict[str, str]:
    names = [str(name) for name in head.columns]
    if not names:
        return {}
    guess = guessed_columns(head)
    one, two, three = st.columns(3)
    text = one.selectbox(
        "Text",
        names,
        index=_index(names, guess.get("text")),
        key=f"own_text-{key}",
        help="The column that the model reads.",
    )
    pair = two.selectbox("Second text", [NONE, *names], index=_index([NONE, *names], guess.get("text_pair")),
                         key=f"own_pair-{key}",
                         help="The column of the second text, where rows are pairs.")  # fmt: skip
    label = three.selectbox(
        "Label",
        names,
        index=_index(names, guess.get("label")),
        key=f"own_label-{key}",
        help="The column that is learned.",
    )
    return {"text": text, "text_pair": "" if pair == NONE else pair, "label": label}


def _index(names: Sequence[str], wanted: str | None) -> int:
    return names.index(wanted) if wanted in names else 0


def _learned(section: str, head: pd.DataFrame | None) -> dict[str, str]:
    one, two = st.columns(2)
    kind = one.segmented_control(
        "What is learned", list(METRICS), default="classification", required=True, key=f"own_kind-{section}",
        format_func=lambda kind: WORDS[kind],
        help="Whether a label is one of a few classes, or a number.",
    ) or "classification"  # fmt: skip
    metric = two.selectbox(
        "Metric", METRICS[kind], key=f"own_metric-{section}-{kind}", help="How the held-out rows are scored."
    )
    return {"kind": kind, "metric": metric}


WORDS = {"classification": "a class", "regression": "a number"}


@st.cache_data(show_spinner=False, max_entries=8)
def _head(train: str, stamp: object) -> pd.DataFrame:
    return read_table(f"files.train = {train!r}", train, 2000)


def _say_look(values: dict[str, str], *stamps: object) -> tuple[list[str], int]:
    """What is to be seen of a table; returns what is wrong with it, and how many rows train."""
    try:
        seen = _looked(tuple(sorted(values.items())), stamps)
    except ConfigError as error:
        return error.lines, 0
    _say(seen.rows, seen.balance, seen.spread, seen.words, seen.warnings())
    return [], seen.rows[0]


@st.cache_data(show_spinner="Looking at the rows", max_entries=8)
def _looked(values: tuple[tuple[str, str], ...], stamps: object) -> DataLook:
    config = parse_config({"task": "files", "files": dict(values)})
    return look(labelled_text(config.task_settings, MOST_LOOKED_AT))  # type: ignore[arg-type]


def _say(
    rows: Sequence[int], balance: Mapping[str, Sequence[int]], spread: tuple[float, float, float] | None,
    words: Sequence[int], warnings: Sequence[str],
) -> None:  # fmt: skip
    st.caption(f"{rows[0]:,} training rows, {rows[1]:,} held out; a text has {words[0]} words, at most {words[1]:,}")
    for line in warnings:
        st.warning(plain(line), icon=":material/warning:")
    if spread is not None:
        st.caption(f"Numbers from {spread[0]:g} to {spread[2]:g}, in the middle {spread[1]:g}")
    if balance:
        most = max(count for count, _ in balance.values())
        table = pd.DataFrame(
            {"class": list(balance), "training rows": [a for a, _ in balance.values()],
             "held out": [b for _, b in balance.values()]}
        )  # fmt: skip
        bar = st.column_config.ProgressColumn(format="%d", min_value=0, max_value=most)
        st.dataframe(table, hide_index=True, column_config={"training rows": bar},
                     height=min(240, 38 + 35 * len(table)))  # fmt: skip
