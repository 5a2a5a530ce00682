"""The folder of runs: making races, listing, finding, renaming, deleting.

A race is a name that several runs share; each run has a folder of its own, called as its id. An id that comes from
outside (an address, a command line) is matched against a strict pattern before it becomes part of a path.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triadapt.config import RunConfig
from triadapt.events import Stamped
from triadapt.methods.registry import METHODS
from triadapt.runs import schema
from triadapt.runs.info import DamagedRunError, RunError, RunInfo
from triadapt.runs.known_infos import KNOWN
from triadapt.runs.store import CONFIG_FILE, RunStore
from triadapt.tasks.registry import KNOWN_TASKS

ENVIRONMENT = "TRIADAPT_RUNS"
LONGEST_NAME = 120
LONGEST_NOTE = 4000
MOST_NAMED = 3
"""Methods that the name of a race spells out."""

_RACE = r"[0-9]{8}-[0-9]{6}-[0-9a-f]{4}"
_RUN = rf"({_RACE})-[a-z][a-z0-9_]{{0,39}}(?:-[0-9]{{1,3}})?"


@dataclass(frozen=True)
class Race:
    """Runs that were made together, in order."""

    id: str
    run_ids: list[str]
    folders: list[Path]


def runs_folder(explicit: str | os.PathLike[str] | None = None) -> Path:
    """Where runs live: `explicit`, else `$TRIADAPT_RUNS`, else `./runs`. Raises RunError when that is a file."""
    folder = Path(explicit or os.environ.get(ENVIRONMENT) or "runs")
    if folder.exists() and not folder.is_dir():
        raise RunError(f"runs folder {str(folder)!r} is a file; name a folder")
    return folder


def is_race_id(text: str) -> bool:
    """Whether `text` has the form of a race's id."""
    return re.fullmatch(_RACE, text) is not None


def is_run_id(text: str) -> bool:
    """Whether `text` has the form of a run's id."""
    return re.fullmatch(_RUN, text) is not None


def checked_id(text: str) -> str:
    """`text` if it is the id of a run or of a race by its form. Raises RunError."""
    if not (is_race_id(text) or is_run_id(text)):
        raise RunError(f"{text[:80]!r} is not the id of a run or race; `triadapt runs` lists them")
    return text


def new_race(folder: Path, configs: Sequence[RunConfig], name: str | None = None) -> Race:
    """Make one folder a configuration, all in state queued, or none at all. Raises RunError, OSError."""
    if not configs:
        raise RunError("a race needs at least one run")
    title = tidy_name(name) or _title(configs)

    def make(place: Path, run_id: str, race: str, position: int) -> None:
        RunStore.create(place, configs[position], run_id=run_id, race=race, name=title, position=position).close()

    return make_runs(folder, [config.method for config in configs], make)


def import_run_group(folder: Path, runs: Sequence[tuple[RunInfo, RunConfig, list[Stamped]]], source: str) -> Race:
    """Make run folders of runs from a file, under a new race id. `source` is the file's name, for the lineage; the id
    in a RunInfo may be empty.

    Raises RunError, OSError; nothing is left behind then.
    """

    def make(place: Path, run_id: str, race: str, position: int) -> None:
        info, config, events = runs[position]
        lineage: dict[str, Any] = {"imported": source, **({"run": info.id} if info.id else {})}
        if info.branched_from is not None:
            lineage["branched_from"] = info.branched_from.as_dict()
        with RunStore.create(
            place, config, run_id=run_id, race=race, name=info.name, position=position, lineage=lineage,
            created=info.created,
        ) as store:  # fmt: skip
            store.copy_events(events)
            store.set_measured(info.measured)
            state = info.state if info.state in ("finished", "stopped", "failed") else "stopped"
            store.set_state(state, info.error)
        _write_meta(place, {"note": info.note})

    return make_runs(folder, [config.method for _, config, _ in runs], make)


def new_id() -> str:
    """An id for a race: the time, and letters that tell apart those of a second."""
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"


def make_runs(
    folder: Path, methods: list[str], make: Callable[[Path, str, str, int], None], race: str | None = None
) -> Race:
    """Make a race of one run a method: `make(place, run id, race id, position)` fills the folder `place`. race: its id,
    for whoever had to know it before.

    The folders are made out of sight and moved when all are whole. Raises whatever `make` does, with nothing left.
    """
    folder.mkdir(parents=True, exist_ok=True)
    race = race or new_id()
    workshop = folder / f".new-{race}"
    # An id that was known before may have been begun by a process that was killed over it.
    shutil.rmtree(workshop, ignore_errors=True)
    run_ids = [f"{race}-{method}" for method in methods]
    run_ids = [
        name if run_ids.count(name) == 1 else f"{name}-{run_ids[: i + 1].count(name)}" for i, name in enumerate(run_ids)
    ]
    placed: list[Path] = []
    try:
        for position, run_id in enumerate(run_ids):
            make(workshop / run_id, run_id, race, position)
        for run_id in run_ids:
            os.rename(workshop / run_id, folder / run_id)
            placed.append(folder / run_id)
    except BaseException:
        for path in placed:
            shutil.rmtree(path, ignore_errors=True)
        raise
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    return Race(race, run_ids, placed)


def _title(configs: Sequence[RunConfig]) -> str:
    labels = dict.fromkeys(METHODS[config.method].label for config in configs)
    methods = f"{len(labels)} methods" if len(labels) > MOST_NAMED else ", ".join(labels)
    return f"{methods} on {KNOWN_TASKS[configs[0].task].label}"


def list_runs(folder: Path) -> list[RunInfo]:
    """Every run in `folder`, newest first, the runs of a race together and in order. What is no run is left out."""
    try:
        names = [entry.name for entry in os.scandir(folder) if is_run_id(entry.name) and entry.is_dir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(f"{folder}: cannot be read ({error.strerror})") from error
    infos = [KNOWN.info(folder / name) for name in names if _is_run(folder / name)]
    return sorted(infos, key=lambda info: (_reversed(_race_of(info.id)), info.position, info.id))


def _reversed(text: str) -> tuple[int, ...]:
    return tuple(-ord(letter) for letter in text)


def _race_of(run_id: str) -> str:
    match = re.fullmatch(_RUN, run_id)
    return match.group(1) if match else run_id


def _is_run(folder: Path) -> bool:
    return (folder / schema.FILE).is_file() or (folder / CONFIG_FILE).is_file()


def find(folder: Path, run_or_race_id: str) -> list[RunInfo]:
    """The run of that id, or the runs of the race of that id in order. Raises RunError when there is none."""
    checked_id(run_or_race_id)
    if is_run_id(run_or_race_id):
        names = [run_or_race_id]
    else:
        names = [path.name for path in folder.glob(f"{run_or_race_id}-*") if is_run_id(path.name)]
    infos = [KNOWN.info(folder / name) for name in names if _is_run(folder / name)]
    if not infos:
        raise RunError(f"there is no run or race {run_or_race_id!r} in {str(folder)!r}; `triadapt runs` lists them")
    return sorted(infos, key=lambda info: (info.position, info.id))


def tidy_name(text: str | None) -> str:
    """A name on one line, without control characters, cut to `LONGEST_NAME`."""
    return " ".join("".join(c if c.isprintable() else " " for c in text or "").split())[:LONGEST_NAME]


def rename(folder: Path, run_or_race_id: str, name: str) -> None:
    """Name a run, or all runs of a race. Raises RunError."""
    tidy = tidy_name(name)
    if not tidy:
        raise RunError("name is empty; give at least one visible character")
    infos = find(folder, run_or_race_id)
    # A damaged run cannot be written to and must not keep the others of its race from their name.
    for info in [info for info in infos if info.state != "damaged"] or infos:
        _write_meta(folder / info.id, {"name": tidy})


def set_note(folder: Path, run_or_race_id: str, note: str) -> None:
    """Replace the note of a run, or of all runs of a race. Raises RunError."""
    if len(note) > LONGEST_NOTE:
        raise RunError(f"note has {len(note)} characters; the limit is {LONGEST_NOTE}")
    for info in find(folder, run_or_race_id):
        _write_meta(folder / info.id, {"note": note})


def _write_meta(folder: Path, values: dict[str, Any]) -> None:
    with closing(schema.open_writer(folder / schema.FILE)) as connection, schema.transaction(connection):
        schema.put_meta(connection, values)


def delete(folder: Path, run_or_race_id: str) -> list[str]:
    """Delete a run, or all runs of a race, with checkpoints and exports. Returns the ids.

    Raises RunError, with nothing deleted, when one of them is queued, running or paused, or is not a plain folder.
    """
    infos = find(folder, run_or_race_id)
    for info in infos:
        if info.live:
            raise RunError(f"{info.id} is {info.state}; stop it before deleting it")
        if (folder / info.id).is_symlink():
            raise RunError(f"{info.id} is a link to another folder; remove the link by hand")
    for info in infos:
        # Renamed first, so that a deletion that is cut short leaves no half of a run in the list.
        doomed = folder / f".deleted-{info.id}-{secrets.token_hex(2)}"
        os.rename(folder / info.id, doomed)
        shutil.rmtree(doomed, ignore_errors=True)
    return [info.id for info in infos]


def config_of(info: RunInfo) -> RunConfig:
    """The validated configuration of a run. Raises DamagedRunError."""
    try:
        return RunConfig.model_validate(info.config)
    except ValueError as error:
        raise DamagedRunError(f"{info.id}: its configuration is not valid any more: {error}") from error
