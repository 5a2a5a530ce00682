"""Read a study while it runs, or after: cheap enough to be asked every second by every visitor."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from pathlib import Path

from triadapt.runs.reader import RunReader
from triadapt.sweeps.library import runs_of
from triadapt.sweeps.record import StudyError, StudyRecord, TrialRecord
from triadapt.sweeps.state import CONFIG_FILE, read_config, read_info
from triadapt.sweeps.storage import FILE, UNREADABLE, one_line
from triadapt.sweeps.study import TrialReader

KEPT = 8
_FILES = (CONFIG_FILE, FILE, f"{FILE}-wal")


@dataclass
class _Kept:
    """What was read of one study, with the state of its files before."""

    reader: TrialReader
    lock: threading.Lock = field(default_factory=threading.Lock)
    marks: tuple[object, ...] = ()
    trials: tuple[TrialRecord, ...] = ()


_kept: OrderedDict[Path, _Kept] = OrderedDict()
_lock = threading.Lock()


def read(folder: Path) -> StudyRecord:
    """The study in `folder`. Raises StudyError when it cannot be read.

    Trials are read again when a file of the study changed. Those under way are asked for their steps at every call:
    these stand in their runs.
    """
    info, config = read_info(folder), read_config(folder)
    kept = _kept_of(folder.absolute())
    with kept.lock:
        marks = tuple(_mark(folder / name) for name in _FILES)
        if marks != kept.marks:
            try:
                kept.trials, kept.marks = kept.reader.records(), marks
            except UNREADABLE as error:
                _forget(folder.absolute())
                raise StudyError(f"{folder.name}: {FILE} cannot be read ({one_line(error)})") from error
        trials = kept.trials
    # A trial that begins or ends makes the coordinator write; until then the steps of a run say how far it is.
    seen = tuple(_now(trial, folder, live=info.state == "running") for trial in trials)
    return StudyRecord(info, config, seen)


def _kept_of(folder: Path) -> _Kept:
    with _lock:
        if folder in _kept:
            _kept.move_to_end(folder)
            return _kept[folder]
    kept = _Kept(TrialReader(folder))
    with _lock:
        _kept[folder] = kept
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return kept


def _forget(folder: Path) -> None:
    """The next read opens the file anew."""
    with _lock:
        _kept.pop(folder, None)


def _mark(path: Path) -> object:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _now(trial: TrialRecord, folder: Path, *, live: bool) -> TrialRecord:
    if trial.state != "running":
        return trial
    trial = trial if live else replace(trial, state="interrupted")
    if not trial.run:
        return trial
    run = RunReader(runs_of(folder) / trial.run).info()
    return replace(trial, steps=run.last_step + 1, total_steps=run.steps, seconds=run.seconds)
