"""Runs as files for other programs: tables, one JSON document, a page that replays, a bundle."""

from __future__ import annotations

import csv
import io
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

from triadapt.events import Evaluation, Matrix, RankEvent, Scores, Stamped, Started, Step
from triadapt.runs.bundle import SUFFIX, Readable, write_bundle
from triadapt.runs.info import RunError, RunInfo

WHAT = ("csv", "json", "html", "bundle")
# The weights of a run. Making them needs torch and `triadapt.training.export_model`; this module does not.
MODEL_FORMS = ("adapter", "lora", "merged")

Runs = list[tuple[RunInfo, list[Stamped]]]


def export(readers: Sequence[Readable], folder: Path, what: Sequence[str], *, overwrite: bool = False) -> list[Path]:
    """Write the forms named in `what` (of `WHAT`) of a run, or of the runs of a race, into `folder`.

    csv: steps.csv, rank_events.csv (a row for each event and matrix), scores.csv, evaluations.csv; each row names its
    run. json: run.json. html: replay.html. bundle: NAME.jsonl.gz with the id of the run or race. Returns the files.

    Raises RunError for an unknown form and for a damaged run, FileExistsError before anything is written when a file is
    there already and `overwrite` is not set, OSError.
    """
    check_forms(what, WHAT)
    runs: Runs = [(reader.info(), reader.events()) for reader in readers]
    if not runs:
        raise RunError("there is no run to export")
    texts: dict[str, str] = {}
    for form, make in _FORMS.items():
        if form in what:
            texts |= make(runs)
    name = runs[0][0].id if len(runs) == 1 else runs[0][0].race
    bundle = [f"{name}{SUFFIX}"] if "bundle" in what else []
    present = [folder / file for file in [*texts, *bundle] if (folder / file).exists()]
    if present and not overwrite:
        raise FileExistsError(17, "exists already", str(present[0]))
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        _write(folder / file, text)
    for file in bundle:
        write_bundle(folder / file, readers, overwrite=overwrite)
    return [folder / file for file in [*texts, *bundle]]


def check_forms(what: Sequence[str], known: Sequence[str] = (*WHAT, *MODEL_FORMS)) -> None:
    """Raises RunError when `what` is empty or names a form that is not known."""
    if not what or any(form not in known for form in what):
        raise RunError(f"what = {','.join(what)!r}: unknown form; known: {', '.join(known)}")


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        partial.write_text(text, encoding="utf-8", newline="")
        os.replace(partial, path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


def tables(runs: Runs) -> dict[str, str]:
    """The CSV files by name."""
    steps: list[list[Any]] = [["run", "step", "seconds", "loss", "learning_rate"]]
    ranks: list[list[Any]] = [
        ["run", "step", "rule", "threshold", "allowed", "total_rank", "trainable_parameters", "optimizer_bytes",
         "matrix", "layer", "module", "score", "before", "rank", "chosen"]
    ]  # fmt: skip
    scores: list[list[Any]] = [["run", "step", "matrix", "layer", "module", "score"]]
    evaluations: list[list[Any]] = [["run", "step", "metric", "value"]]
    for info, events in runs:
        matrices: list[Matrix] = []
        for stamped in events:
            event = stamped.event
            match event:
                case Started():
                    matrices = event.matrices
                case Step():
                    steps.append([info.id, event.step, f"{stamped.time:.3f}", event.loss, event.learning_rate])
                case RankEvent():
                    shared = [event.rule, event.threshold, event.allowed, event.total_rank]
                    shared += [event.trainable_parameters, event.optimizer_bytes]
                    chosen = set(event.chosen)
                    for i, matrix in enumerate(matrices):
                        place = [matrix.name, matrix.layer, matrix.module, _at(event.scores, i)]
                        after = [int(event.before[i]), int(event.ranks[i]), int(i in chosen)]
                        ranks.append([info.id, event.step, *shared, *place, *after])
                case Scores():
                    for i, matrix in enumerate(matrices):
                        place = [matrix.name, matrix.layer, matrix.module]
                        scores.append([info.id, event.step, *place, _at(event.scores, i)])
                case Evaluation():
                    evaluations += [[info.id, event.step, name, value] for name, value in event.metrics.items()]
                case _:
                    pass
    named = {"steps": steps, "rank_events": ranks, "scores": scores, "evaluations": evaluations}
    return {f"{name}.csv": _csv(rows) for name, rows in named.items()}


def _at(values: np.ndarray[Any, Any], index: int) -> float | str:
    # Shortest text that reads back to the same float32, not its 17 digits as a double.
    return str(np.float32(values[index])) if index < len(values) else ""


def _csv(rows: list[list[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


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


def _json(runs: Runs) -> dict[str, str]:
    return {"run.json": json.dumps(document(runs), allow_nan=False, indent=1) + "\n"}


def _html(runs: Runs) -> dict[str, str]:
    # Imported here, as plotly takes longer than everything else a listing of runs needs.
    board = import_module("triadapt.views.board")
    replay = import_module("triadapt.figures.replay")
    frames = [
        board.run_frame(
            info.id, events, after=0, generation=info.generation, status={"state": "recorded", "message": info.error}
        )
        for info, events in runs
    ]
    info = runs[0][0]
    page = replay.replay_html(board.board_frame(info.race, frames, full=True, extras={}), title=info.name or info.id)
    return {"replay.html": page}


_FORMS: dict[str, Callable[[Runs], dict[str, str]]] = {"csv": tables, "json": _json, "html": _html}
