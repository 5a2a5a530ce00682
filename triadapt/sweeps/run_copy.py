"""A run that is trained on another machine: sent there as files, followed here by what its copy writes."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from triadapt.events import Checkpointed, Stamped, decode, encode
from triadapt.runs import schema
from triadapt.runs.reader import RunReader
from triadapt.runs.store import CONFIG_FILE, RunStore
from triadapt.workers.lockstep import CHECKPOINTS

Files = dict[str, bytes]


@dataclass(frozen=True)
class Batch:
    """What a copy wrote since the last batch, in plain values that any two machines agree about.

    generation, kept: how often its history was rewritten, and up to which sequence number it was kept then. events:
    (step, kind, time, body, arrays) of each, as a run's file holds them. checkpoints: new files, by name. state, error:
    of the run.
    """

    generation: int
    kept: int
    events: list[tuple[int, str, float, str, bytes]]
    checkpoints: Files
    state: str
    error: str


def packed(folder: Path) -> Files:
    """The files that a copy of the run begins with: its events, its configuration, its newest checkpoint."""
    files = {schema.FILE: _database(folder / schema.FILE), CONFIG_FILE: (folder / CONFIG_FILE).read_bytes()}
    newest = _newest_checkpoint(folder)
    if newest is not None:
        files[f"{CHECKPOINTS}/{newest}"] = (folder / CHECKPOINTS / newest).read_bytes()
    return files


def _database(path: Path) -> bytes:
    """The whole file, what stands in its write-ahead log included."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        return connection.serialize()


def _newest_checkpoint(folder: Path) -> str | None:
    events = [stamped.event for stamped in RunReader(folder).events_of(Checkpointed.kind)]
    names = [event.file for event in reversed(events) if isinstance(event, Checkpointed)]
    return next((name for name in names if (folder / CHECKPOINTS / name).is_file()), None)


def unpack(folder: Path, files: Files) -> None:
    """Write a copy into `folder`, which must be empty or not there. Raises ValueError for a name that leaves it."""
    for name, content in files.items():
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise ValueError(f"{name!r} lies outside of the run's folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


class CopyReader:
    """Reads a copy batch by batch, from what it began with on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        info = RunReader(folder).info()
        self._began = self._seen = self._kept = info.last_seq
        self._generation = info.generation

    def batch(self) -> Batch:
        """What is new."""
        reader = RunReader(self._folder)
        info, stamped = reader.snapshot(self._seen)
        if info.generation != self._generation:
            # Rewound to a checkpoint. Numbers are not used again, so what is left of before is what it began with.
            self._generation = info.generation
            self._kept = max((row.seq for row in reader.rows() if row.seq <= self._began), default=0)
        if stamped:
            self._seen = stamped[-1].seq
        fresh = {one.event.file for one in stamped if isinstance(one.event, Checkpointed)}
        paths = [self._folder / CHECKPOINTS / name for name in fresh]
        events = [(one.event.step, one.event.kind, one.time, *encode(one.event)) for one in stamped]
        checkpoints = {path.name: path.read_bytes() for path in paths if path.is_file()}
        return Batch(info.generation, self._kept, events, checkpoints, info.state, info.error)


def apply_batch(store: RunStore, batch: Batch) -> None:
    """Bring the run's own file to where its copy stands. Checkpoints first: an event that names one is only written
    once the file is there."""
    info = RunReader(store.folder).info()
    if batch.generation != info.generation:
        store.rewind(batch.kept)
    folder = store.folder / CHECKPOINTS
    for name, content in batch.checkpoints.items():
        if Path(name).name != name:
            raise ValueError(f"checkpoint {name!r} is not a plain file name")
        folder.mkdir(exist_ok=True)
        partial = folder / f".{name}.part"
        partial.write_bytes(content)
        os.replace(partial, folder / name)
    store.copy_events(
        Stamped(0, seconds, decode(kind, step, body, arrays)) for step, kind, seconds, body, arrays in batch.events
    )
