"""Runs as files to take away: tables, one JSON document, a page that replays, a picture, a bundle, logs."""

from __future__ import annotations

import json
import math
import os
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from triadapt.events import Stamped, Started
from triadapt.runs import trackio_log
from triadapt.runs.bundle import SUFFIX, Readable, write_bundle
from triadapt.runs.info import RunError, RunInfo

WHAT = ("csv", "parquet", "replay", "figure", "json", "bundle", "tensorboard", "trackio")
# The weights of a run. Making them needs torch and `triadapt.training.export_model`; this module does not.
MODEL_FORMS = ("adapter", "lora", "merged")

Runs = list[tuple[RunInfo, list[Stamped]]]
Files = dict[str, bytes]


def export(readers: Sequence[Readable], folder: Path, what: Sequence[str], *, overwrite: bool = False) -> list[Path]:
    """Write the forms named in `what` (of `WHAT`) of a run, or of the runs of a race, into `folder`.

    csv, parquet: a file for each of `tables.tables`, such as steps.csv; each row names its run. replay: replay.html.
    figure: the ranks at the end as SVG, for one column of a paper and for two. json: run.json. bundle: NAME.jsonl.gz
    with the id of the run or race. tensorboard: an event file a run, each in a folder called as the run. trackio: a
    project of Trackio, whose folder `folder` then is. Returns the files.

    Raises RunError for an unknown form, for a damaged run and where Trackio is missing, FileExistsError before anything
    is written when a file is there already and `overwrite` is not set, OSError.
    """
    check_forms(what, WHAT)
    if "trackio" in what and not trackio_log.available():
        raise RunError(trackio_log.MISSING)
    runs: Runs = [(reader.info(), reader.events()) for reader in readers]
    if not runs:
        raise RunError("there is no run to export")
    made: Files = {}
    for form, make in _FORMS.items():
        if form in what:
            made |= make(runs)
    name = runs[0][0].id if len(runs) == 1 else runs[0][0].race
    bundle = [f"{name}{SUFFIX}"] if "bundle" in what else []
    project = [f"{name}{trackio_log.ENDING}"] if "trackio" in what else []
    present = [folder / file for file in [*made, *bundle, *project] if (folder / file).exists()]
    if present and not overwrite:
        raise FileExistsError(17, "exists already", str(present[0]))
    folder.mkdir(parents=True, exist_ok=True)
    for file, data in made.items():
        _write(folder / file, data)
    for file in bundle:
        write_bundle(folder / file, readers, overwrite=overwrite)
    if project:
        trackio_log.write_trackio(runs, folder, overwrite=overwrite)
    return [folder / file for file in [*made, *bundle, *project]]


def check_forms(what: Sequence[str], known: Sequence[str] = (*WHAT, *MODEL_FORMS)) -> None:
    """Raises RunError when `what` is empty or names a form that is not known."""
    if not what or any(form not in known for form in what):
        raise RunError(f"what = {','.join(what)!r}: unknown form; known: {', '.join(known)}")


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        partial.write_bytes(data)
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


def document(runs: Runs) -> dict[str, Any]:
    """Everything, as JSON values: `runs`, each with what is known of it and its `events`.

    Arrays are lists; numbers that are not finite are null, as JSON has no word for them.
    """
    return {
        "format": "triadapt-runs",
        "version": 1,
        "runs": [
            {**plain(info.as_dict() | {"folder": None}), "events": [event_values(stamped) for stamped in events]}
            for info, events in runs
        ],
    }


def event_values(stamped: Stamped) -> dict[str, Any]:
    """An event as JSON values, with its sequence number, kind and time."""
    event = stamped.event
    values = {item.name: getattr(event, item.name) for item in fields(event)}
    if isinstance(event, Started):
        values["matrices"] = [matrix.__dict__ for matrix in event.matrices]
    return {"seq": stamped.seq, "time": stamped.time, "kind": event.kind, **plain(values)}


def plain(value: Any) -> Any:
    """The same as values that strict JSON knows."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        if value.dtype == np.float32:
            return [float(str(item)) if np.isfinite(item) else None for item in value.ravel()]
        return value.ravel().tolist()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _json(runs: Runs) -> Files:
    return {"run.json": (json.dumps(document(runs), allow_nan=False, indent=1) + "\n").encode()}


# Imported where they are used: pandas takes longer than everything else that a listing of runs needs.
def _csv(runs: Runs) -> Files:
    made = import_module("triadapt.runs.tables")
    return {f"{name}.csv": made.csv_bytes(table) for name, table in made.tables(runs).items()}


def _parquet(runs: Runs) -> Files:
    made = import_module("triadapt.runs.tables")
    return {f"{name}.parquet": made.parquet_bytes(table) for name, table in made.tables(runs).items()}


def _replay(runs: Runs) -> Files:
    page = str(import_module("triadapt.figures.replay").race_replay(runs))
    return {"replay.html": page.encode()}


def _figure(runs: Runs) -> Files:
    panels = import_module("triadapt.views.final_ranks").rank_panels(runs)
    drawing = import_module("triadapt.figures.print_heatmap")
    if not panels:
        raise RunError("figure: no run has adapted matrices yet, so there are no ranks to draw")
    return {
        f"ranks-{name.replace(' ', '-')}.svg": str(drawing.heatmap_svg(panels, width=width)).encode()
        for name, width in drawing.WIDTHS.items()
    }


def _tensorboard(runs: Runs) -> Files:
    made = import_module("triadapt.runs.tensorboard_log")
    return {f"{info.id}/{made.file_name(info)}": made.event_file(info, rows) for info, rows in runs}


_FORMS: dict[str, Callable[[Runs], Files]] = {
    "csv": _csv, "parquet": _parquet, "json": _json, "replay": _replay, "figure": _figure,
    "tensorboard": _tensorboard,
}  # fmt: skip
