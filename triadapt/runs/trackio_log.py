"""A run as a run of Trackio, in a folder of its own choice and without a network.

Trackio reads its folder from the environment when it is imported and keeps threads, so a process of its own writes:
`python -m triadapt.runs.trackio_log` takes JSON on its standard input.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from triadapt.events import Stamped, Started
from triadapt.runs.info import RunError, RunInfo
from triadapt.runs.scalar_tags import scalars_of

Runs = Sequence[tuple[RunInfo, Sequence[Stamped]]]
MISSING = 'trackio is not installed; pip install "triadapt[trackio]"'
ENDING = ".db"


def available() -> bool:
    """Whether Trackio is installed."""
    return find_spec("trackio") is not None


def write_trackio(runs: Runs, folder: Path, *, overwrite: bool = False) -> list[Path]:
    """Log `runs` into the Trackio folder `folder`, which `TRACKIO_DIR` then names: a project called as the race, or the
    run where it is one, with a run each. Returns the project's file.

    Raises RunError where Trackio is missing or fails, FileExistsError when the project is there and `overwrite` is not
    set.
    """
    if not available():
        raise RunError(MISSING)
    project = runs[0][0].id if len(runs) == 1 else runs[0][0].race
    file = folder / f"{project}{ENDING}"
    if file.exists():
        if not overwrite:
            raise FileExistsError(17, "exists already", str(file))
        for ending in ("", "-wal", "-shm"):
            file.with_name(file.name + ending).unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    orders = {"project": project, "runs": [_orders(info, rows) for info, rows in runs]}
    # Nothing of the surroundings may send the run to a server.
    outside = {name: value for name, value in os.environ.items() if not name.startswith("TRACKIO_")}
    surroundings = outside | {"TRACKIO_DIR": str(folder.absolute()), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "triadapt.runs.trackio_log"], input=json.dumps(orders), capture_output=True, text=True,
        env=surroundings,
    )  # fmt: skip
    if done.returncode or not file.exists():
        lines = done.stderr.strip().splitlines() or [f"it ended with code {done.returncode}"]
        raise RunError(f"trackio: {lines[-1]}")
    return [file]


def _orders(info: RunInfo, rows: Sequence[Stamped]) -> dict[str, Any]:
    config = next((row.event.config for row in rows if isinstance(row.event, Started)), info.config)
    return {"name": info.id, "config": {**config, "name": info.name}, "logs": list(_logs(rows))}


def _logs(rows: Sequence[Stamped]) -> Iterator[tuple[int, dict[str, float]]]:
    """Step and metrics; what happens at one step is one log."""
    held: dict[int, dict[str, float]] = {}
    for row, scalars in scalars_of(rows):
        finite = {tag: value for tag, value in scalars.items() if math.isfinite(value)}
        held.setdefault(row.event.step, {}).update(finite)
    yield from sorted((step, metrics) for step, metrics in held.items() if metrics)


def _write(orders: dict[str, Any]) -> None:
    trackio = import_module("trackio")
    for run in orders["runs"]:
        trackio.init(
            project=orders["project"], name=run["name"], config=run["config"], embed=False, auto_log_gpu=False,
            auto_log_cpu=False,
        )  # fmt: skip
        for step, metrics in run["logs"]:
            trackio.log(metrics, step=step)
        trackio.finish()


if __name__ == "__main__":
    with redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _write(json.load(sys.stdin))
