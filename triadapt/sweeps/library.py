"""The studies in a folder of runs: making, listing, finding them, and giving them more to do.

A study is a folder `studies/ID` beside its runs, which are runs like any others. An id that comes from outside is
matched against a strict pattern before it becomes part of a path.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from filelock import FileLock, Timeout

from triadapt.config import ConfigError
from triadapt.methods.registry import METHODS
from triadapt.runs.changes import flat
from triadapt.runs.info import Scalar
from triadapt.runs.library import new_id, tidy_name
from triadapt.sweeps.config import Range, SweepConfig, Values
from triadapt.sweeps.record import StudyError, StudyInfo
from triadapt.sweeps.space import Plan, plan
from triadapt.sweeps.state import (
    CONFIG_FILE,
    StudyHeld,
    read_config,
    read_info,
    sole_coordinator,
    write_config,
    write_info,
)
from triadapt.tasks.registry import KNOWN_TASKS

FOLDER = "studies"
CHANGE_LOCK_FILE = "change.lock"
ENDING_SECONDS = 30.0
"""How long a coordinator may take to end its workers once its study is over."""
_STUDY = r"study-[0-9]{8}-[0-9]{6}-[0-9a-f]{4}"


def is_study_id(text: str) -> bool:
    """Whether `text` has the form of a study's id."""
    return re.fullmatch(_STUDY, text) is not None


def runs_of(folder: Path) -> Path:
    """The folder of runs that a study's folder lies in."""
    return folder.parent.parent


def new_study(runs: Path, config: SweepConfig) -> Path:
    """Make a study in state queued, whole or not at all. Returns its folder.

    Raises ConfigError for what no run can be made of, OSError.
    """
    planned = plan(config)
    metric, higher_is_better = _measured(config)
    study = f"study-{new_id()}"
    workshop = runs / FOLDER / f".new-{study}"
    workshop.mkdir(parents=True)
    try:
        info = StudyInfo(
            id=study,
            name=tidy_name(config.name) or _title(config),
            state="queued",
            created=time.time(),
            metric=metric,
            higher_is_better=higher_is_better,
            points=planned.count,
            trials=planned.count * len(config.seed_list),
        )
        write_config(workshop, config)
        write_info(workshop, info, time.time())
        trials = import_module("triadapt.sweeps.study").StudyTrials(workshop, higher_is_better=higher_is_better)
        trials.close()
        os.rename(workshop, runs / FOLDER / study)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    return runs / FOLDER / study


def _first_run_task(config: SweepConfig) -> str:
    return str(config.base.get("task", "planted"))


def _measured(config: SweepConfig) -> tuple[str, bool]:
    """The metric of the runs. Where it is swept itself, that of the first; the runs of others then do not count."""
    spec = KNOWN_TASKS[_first_run_task(config)]
    swept = {name: values for name, values in config.space.items() if not isinstance(values, Range)}
    of_task = {name.partition(".")[2]: values[0] for name, values in swept.items() if name.startswith(f"{spec.name}.")}
    return spec.measured(spec.settings_class().model_validate({**config.base.get(spec.name, {}), **of_task}))


def _title(config: SweepConfig) -> str:
    fields = " x ".join(name.rpartition(".")[2] for name in config.space)
    method = "" if "method" in config.space else f" of {METHODS[str(config.base.get('method', 'triadaptlora'))].label}"
    return f"{fields}{method} on {KNOWN_TASKS[_first_run_task(config)].label}"


def list_studies(runs: Path) -> list[StudyInfo]:
    """Every study beside `runs`, newest first."""
    try:
        names = [entry.name for entry in os.scandir(runs / FOLDER) if is_study_id(entry.name) and entry.is_dir()]
    except FileNotFoundError:
        return []
    return [read_info(runs / FOLDER / name) for name in sorted(names, reverse=True)]


def find_study(runs: Path, study: str) -> Path:
    """The folder of a study. Raises StudyError when `study` is no id or there is none of that id."""
    if not is_study_id(study):
        raise StudyError(f"{study[:80]!r} is not the id of a study; `triadapt studies` lists them")
    folder = runs / FOLDER / study
    if not (folder / CONFIG_FILE).is_file():
        raise StudyError(f"there is no study {study!r} in {str(runs)!r}; `triadapt studies` lists them")
    return folder


def change_study(folder: Path, config: SweepConfig) -> Plan:
    """Give a study another configuration: more points, more seeds, other ways to run.

    A coordinator that runs takes it up within a second; a study that is over is queued again. What was tried stays:
    values and seeds can be added and not taken away, and `base` is fixed. Raises ConfigError, StudyError, OSError, and
    then the study is as it was.
    """
    with _sole_change(folder):
        lines = list(_forbidden(read_config(folder), config))
        if lines:
            raise ConfigError(lines)
        planned = plan(config)
        for wait in (0.0, *[ENDING_SECONDS / 10] * 10):
            try:
                with sole_coordinator(folder, wait):
                    _queue_again(folder, config, planned)
                    return planned
            except StudyHeld:
                # Whoever runs it looks at the file again after it has said that the study is over; so if it is still
                # live once the file is written, the change was not too late.
                if read_info(folder).live:
                    write_config(folder, config)
                    if read_info(folder).live:
                        return planned
        raise StudyError(f"{folder.name}: its coordinator is starting or ending; try again in a moment")


@contextmanager
def _sole_change(folder: Path) -> Iterator[None]:
    """Two visitors who add something at a time must not undo each other's."""
    lock = FileLock(folder / CHANGE_LOCK_FILE)
    try:
        lock.acquire(timeout=2 * ENDING_SECONDS)
    except Timeout:
        raise StudyError(f"{folder.name} is being changed by somebody else; try again in a moment") from None
    try:
        yield
    finally:
        lock.release()


def _queue_again(folder: Path, config: SweepConfig, planned: Plan) -> None:
    """Both files or neither. Only for who holds the study's lock."""
    info, before = read_info(folder), read_config(folder)
    if info.state == "damaged":
        raise StudyError(f"{folder.name} is damaged: {info.message}")
    changed = {
        "state": "queued", "message": "", "name": tidy_name(config.name) or info.name,
        "points": planned.count, "trials": planned.count * len(config.seed_list),
    }  # fmt: skip
    write_config(folder, config)
    try:
        write_info(folder, StudyInfo(**{**info.__dict__, **changed}), time.time())
    except OSError:
        write_config(folder, before)
        raise


def _forbidden(old: SweepConfig, new: SweepConfig) -> Iterator[str]:
    """One line for each change that would make trials of before and after incomparable, or forget some."""
    before, after = flat(old.base), flat(new.base)
    for name in {**before, **after}:
        if before.get(name) != after.get(name):
            yield f"base.{name} = {after.get(name)!r}: a study keeps its base ({before.get(name)!r}); make a new study"
    if old.sampler != new.sampler:
        yield f'sampler = "{new.sampler}": a study keeps its sampler ("{old.sampler}"); make a new study'
    if set(old.space) != set(new.space):
        yield f"space: a study keeps the fields it sweeps ({', '.join(old.space)}); make a new study"
        return
    for name, values in old.space.items():
        left_out = _left_out(values, new.space[name]) if old.sampler == "grid" else ()
        if left_out:
            yield f"space.{name}: {left_out[0]!r} was planned already and stays; values can only be added"
    missing = [seed for seed in old.seed_list if seed not in new.seed_list]
    if missing:
        yield f"seeds: {missing[0]} was planned already and stays; seeds can only be added"
    if old.points is not None and new.points is not None and new.points < old.points:
        yield f"points = {new.points}: {old.points} were planned already; points can only be added"


def _left_out(old: Values, new: Values) -> list[Scalar]:
    before = old.values() if isinstance(old, Range) else old
    after = new.values() if isinstance(new, Range) else new
    return [value for value in before or () if value not in (after or ())]
