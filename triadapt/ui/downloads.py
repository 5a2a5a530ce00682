"""What can be taken away of a run: data and pictures made here, weights by a process of their own."""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from triadapt.figures.print_heatmap import WIDTHS, heatmap_svg, picture_options, print_heatmap
from triadapt.runs.export import MODEL_FORMS, WHAT, export
from triadapt.runs.info import RunError, RunInfo
from triadapt.runs.library import find
from triadapt.runs.reader import RunReader
from triadapt.runs.trackio_log import available
from triadapt.ui.classroom.desk import Desk
from triadapt.ui.markdown import plain
from triadapt.views.final_ranks import RankPanel, rank_panels

# Ending and type of what is downloaded; a zip where there are several files.
ENDINGS = {
    "csv": ("-csv.zip", "application/zip"),
    "parquet": ("-parquet.zip", "application/zip"),
    "replay": ("-replay.html", "text/html"),
    "json": (".json", "application/json"),
    "bundle": (".jsonl.gz", "application/gzip"),
    "tensorboard": ("-tensorboard.zip", "application/zip"),
    "trackio": ("-trackio.zip", "application/zip"),
}
DATA_HELP = (
    "csv, parquet: everything recorded, as tables; replay: the race as one small page that plays without a server or "
    "network; figure: the ranks at the end, as papers print them; json: everything in one document; bundle: one file "
    "that Import reads back; tensorboard: scalars and a histogram of ranks, an event file a run; trackio: a project "
    "for a folder of Trackio."
)
WEIGHTS_HELP = (
    "adapter: the weights as PEFT saves them; lora: the same as plain LoRA, which loads without triadapt; merged: the "
    "model with the adapter in its weights."
)


def export_panel(manager: Desk, info: RunInfo, *, weights: bool = True) -> None:
    """Choose what to take away, of the run or of its race. Nothing is made before it is asked for. weights:
    whether those may be taken too."""
    whole = bool(info.race) and st.checkbox(
        "The whole race", value=True, key="export_race",
        help="Takes all methods of the race; without it, only the chosen run.",
    )  # fmt: skip
    view = info.race if whole else info.id
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _data(manager, view)
    if st.session_state["export_kind"] == "figure":
        _picture(manager, view)
    if weights and has_weights(info):
        _weights(manager, view)


def _data(manager: Desk, view: str) -> None:
    forms = [form for form in WHAT if form != "trackio" or available()]
    what = str(
        st.segmented_control(
            "Data and pictures", forms, default="csv", required=True, key="export_kind", help=DATA_HELP
        )
    )  # fmt: skip
    if what == "figure":
        st.selectbox(
            "Width in a paper",
            list(WIDTHS),
            index=1,
            key="picture_width",
            width=150,
            help="How wide the figure is printed, which sets the size of its letters.",
        )
        if st.button(
            "Draw",
            icon=":material/grid_on:",
            key="draw_picture",
            help="Draws the ranks at the end as a figure for print.",
        ):
            st.session_state["picture"] = (view, *_panels(manager, view))
        return
    ending, mime = ENDINGS[what]
    st.download_button(
        "Download", lambda: taken(manager, view, what), file_name=f"{view}{ending}", mime=mime,
        icon=":material/download:", key="download",
        help="Saves what is chosen above as a file.",
    )  # fmt: skip


def _panels(manager: Desk, view: str) -> tuple[list[RankPanel], str]:
    """Panels of the picture, or what went wrong."""
    try:
        panels = rank_panels([(reader.info(), reader.events()) for reader in _readers(manager, view)])
    except (RunError, OSError) as error:
        return [], str(error)
    return panels, "" if panels else "There are no ranks to draw yet: nothing was adapted."


def _picture(manager: Desk, view: str) -> None:
    """The picture that was drawn for this view."""
    drawn, panels, error = st.session_state.get("picture", ("", [], ""))
    if drawn != view:
        return
    if error:
        st.error(plain(error), icon=":material/error:")
        return
    width = WIDTHS[st.session_state["picture_width"]]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.download_button(
            "Download SVG", heatmap_svg(panels, width=width), file_name=f"{view}-ranks.svg", mime="image/svg+xml",
            icon=":material/download:", key="download_picture",
            help="Saves the figure as a vector file.",
        )  # fmt: skip
        form = str(
            st.segmented_control(
                "The camera saves",
                ("svg", "png"),
                default="png",
                required=True,
                key="camera",
                help="The kind of file that the camera in the corner of the chart writes.",
            )
        )
    figure = print_heatmap(panels, width=width)
    st.plotly_chart(
        figure, theme=None, width="content", key="print_heatmap",
        config=picture_options(f"{view}-ranks", form, figure),
    )  # fmt: skip


def _weights(manager: Desk, view: str) -> None:
    """Weights are made on request, because they take some seconds and torch."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        what = str(
            st.segmented_control(
                "Weights", MODEL_FORMS, default="adapter", required=True, key="weights_kind", help=WEIGHTS_HELP
            )
        )  # fmt: skip
        name = f"{view}-{what}.zip"
        if st.button("Prepare", icon=":material/deployed_code:", key="prepare", help="Takes some seconds."):
            with st.spinner("Making the files..."):
                st.session_state["prepared"] = (name, *_prepared(manager, view, what))
    ready, data, error = st.session_state.get("prepared", ("", b"", ""))
    if ready != name:
        return
    if error:
        st.error(plain(error), icon=":material/error:")
    else:
        st.download_button(
            f"Download {name}", data, file_name=name, mime="application/zip", icon=":material/download:",
            key="download_weights", type="primary",
            help="Saves the weights that were made ready as a zip file.",
        )  # fmt: skip


def has_weights(info: RunInfo) -> bool:
    """Whether a checkpoint is there to make weights of."""
    return info.folder is not None and any((info.folder / "checkpoints").glob("step-*.safetensors"))


def _prepared(manager: Desk, view: str, what: str) -> tuple[bytes, str]:
    """The zip, or what went wrong."""
    try:
        return taken(manager, view, what), ""
    except (RunError, OSError) as error:
        return b"", str(error)


def _readers(manager: Desk, view: str) -> Sequence[RunReader]:
    return [RunReader(manager.runs / info.id) for info in find(manager.runs, view)]


def taken(manager: Desk, view: str, what: str) -> bytes:
    """The exported file of a run or race, a zip where there are several. Raises RunError, OSError."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / view
        if what in MODEL_FORMS:
            _export_elsewhere(manager.runs, view, folder, what)
        else:
            files = export(_readers(manager, view), folder, [what])
            if len(files) == 1 and not ENDINGS[what][0].endswith(".zip"):
                return files[0].read_bytes()
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
