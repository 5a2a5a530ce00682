"""Files of a run to take away: tables and replays made here, weights by a process of their own."""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import streamlit as st

from triadapt.runs.export import MODEL_FORMS, WHAT, export
from triadapt.runs.info import RunError, RunInfo
from triadapt.runs.library import find
from triadapt.runs.reader import RunReader
from triadapt.workers.manager import RunManager

HELP = (
    "csv: steps, rank events, scores, evaluations; json: everything; html: a replay that opens offline; bundle: one "
    "file that Import reads back; adapter: the weights as PEFT saves them; lora: the same as plain LoRA, which loads "
    "without triadapt; merged: the model with the adapter in its weights."
)


def export_panel(manager: RunManager, info: RunInfo) -> None:
    """Choose a form and download it. Weights are made on request, because they take some seconds and torch."""
    forms = [*WHAT, *(MODEL_FORMS if has_weights(info) else ())]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        what = str(st.segmented_control("Export", forms, default="csv", required=True, key="export_kind", help=HELP))
        whole = bool(info.race) and st.checkbox("The whole race", value=True, key="export_race")
        view = info.race if whole else info.id
        name = f"{view}-{what}.zip"
        if what not in MODEL_FORMS:
            st.download_button(
                "Download", lambda: zipped(manager, view, what), file_name=name, mime="application/zip",
                icon=":material/download:", key="download",
            )  # fmt: skip
        elif st.button("Prepare", icon=":material/deployed_code:", key="prepare", help="Takes some seconds."):
            with st.spinner("Making the files..."):
                st.session_state["prepared"] = (name, *_prepared(manager, view, what))
    ready, data, error = st.session_state.get("prepared", ("", b"", ""))
    if ready != name or what not in MODEL_FORMS:
        return
    if error:
        st.error(error, icon=":material/error:")
    else:
        st.download_button(
            f"Download {name}", data, file_name=name, mime="application/zip", icon=":material/download:",
            key="download_weights", type="primary",
        )  # fmt: skip


def has_weights(info: RunInfo) -> bool:
    """Whether a checkpoint is there to make weights of."""
    return info.folder is not None and any((info.folder / "checkpoints").glob("step-*.safetensors"))


def _prepared(manager: RunManager, view: str, what: str) -> tuple[bytes, str]:
    """The zip, or what went wrong."""
    try:
        return zipped(manager, view, what), ""
    except (RunError, OSError) as error:
        return b"", str(error)


def zipped(manager: RunManager, view: str, what: str) -> bytes:
    """The exported files of a run or race in one zip. Raises RunError, OSError."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / view
        if what in MODEL_FORMS:
            _export_elsewhere(manager.runs, view, folder, what)
        else:
            export([RunReader(manager.runs / info.id) for info in find(manager.runs, view)], folder, [what])
        memory = io.BytesIO()
        with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    archive.write(path, path.relative_to(folder.parent))
        return memory.getvalue()


def _export_elsewhere(runs: Path, view: str, folder: Path, what: str) -> None:
    """By the command line in a process of its own: this one must not import torch."""
    command = [sys.executable, "-m", "triadapt", "export", view, str(folder), "--what", what, "--runs", str(runs)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"it ended with code {done.returncode}"]
        raise RunError(f"the weights cannot be exported: {lines[-1].removeprefix('triadapt: ')}")
