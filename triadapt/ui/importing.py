"""Take in what somebody handed on: a bundle, a log of ranks, an adapter; uploaded, or by its path on this machine."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol

import streamlit as st

from triadapt.config import ConfigError
from triadapt.runs.info import RunError
from triadapt.ui.classroom.desk import Desk
from triadapt.ui.markdown import plain

LARGEST_UPLOAD, MOST_FILES = 64, 50
UPLOADS = "import_uploads"
FILE_HELP = (
    "What Export wrote as `bundle`; event files of TensorBoard with ranks, as AdaLoRA's and IncreLoRA's code does; "
    "a zip or tar.gz of these or of a PEFT adapter folder."
)
PATH_HELP = "Of a folder of TensorBoard, a PEFT adapter folder or a file, on the machine this app runs on."


class Upload(Protocol):
    """A file that came from the browser."""

    name: str

    def getvalue(self) -> bytes: ...


def import_panel(manager: Desk, select: Callable[[list[str]], None]) -> None:
    """Draw the control. select: called with the ids of what came in; the page then starts over."""
    with st.expander("Import"):
        st.caption("A bundle, a TensorBoard log of ranks or a PEFT adapter becomes a race like any other.")
        uploads = st.file_uploader(
            "Files", key=f"import_file-{st.session_state.get(UPLOADS, 0)}", accept_multiple_files=True,
            max_upload_size=LARGEST_UPLOAD, help=FILE_HELP,
        )  # fmt: skip
        if uploads and st.button(
            "Import",
            key="import_button",
            type="primary",
            icon=":material/upload:",
            help="Makes runs of the files that were uploaded.",
        ):
            _take(lambda: import_uploads(manager.runs, uploads), select)
        with st.form("import_path", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
            path = st.text_input("Or a path on this machine", key="import_path_text", help=PATH_HELP)
            asked = st.form_submit_button(
                "Import the path",
                icon=":material/folder_open:",
                help="Makes runs of what lies at this path of the machine that serves this page.",
            )
        if asked:
            _take(lambda: _import_path(manager.runs, path), select)


def _take(bring: Callable[[], list[str]], select: Callable[[list[str]], None]) -> None:
    try:
        with st.spinner("Reading..."):
            run_ids = bring()
    except (RunError, ConfigError, OSError, sqlite3.Error) as error:
        st.error(plain(" ".join(str(error).split())), icon=":material/error:")
        return
    # Another key empties the control: what came in must not come in again.
    st.session_state[UPLOADS] = st.session_state.get(UPLOADS, 0) + 1
    select(run_ids)
    st.rerun()


def _import_path(runs: Path, path: str) -> list[str]:
    given = path.strip()
    if not given or "\0" in given:
        raise RunError("path is empty; name a file or folder on this machine")
    return list(_reader()(runs, Path(given).expanduser()))


def import_uploads(runs: Path, uploads: Sequence[Upload]) -> list[str]:
    """One file as it is; several are taken for the event files of one training."""
    if len(uploads) > MOST_FILES:
        raise RunError(f"{len(uploads)} files; at most {MOST_FILES} at once")
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        for number, upload in enumerate(uploads):
            # The name comes from the browser: it is told, and never a path.
            several = "" if len(uploads) == 1 else ".tfevents"
            (place / f"upload-{number:03}{several}").write_bytes(upload.getvalue())
        if len(uploads) > 1:
            return list(_reader()(runs, place, f"{uploads[0].name} and {len(uploads) - 1} more"))
        return list(_reader()(runs, place / "upload-000", uploads[0].name))


def _reader() -> Callable[..., list[str]]:
    # Only here, as it takes TensorBoard's formats.
    read: Callable[..., list[str]] = import_module("triadapt.imports.any_path").import_path
    return read
