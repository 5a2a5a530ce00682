"""Optuna's storage in a study's folder, and what a swept field is to Optuna."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from sqlalchemy.pool import NullPool

from triadapt.sweeps.config import Range, Values
from triadapt.sweeps.fields import kind_of, known_choices
from triadapt.sweeps.record import StudyError

FILE = "study.db"
STUDY = "study"
BUSY_SECONDS = 30
WRITING = (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.OptunaError)
"""What is raised when the file cannot be read or written, as on a full disk."""
UNREADABLE = (*WRITING, RuntimeError, AssertionError, KeyError, TypeError, ValueError)
"""The same, and what Optuna raises at rows that it has not written."""

# Whoever wants to know that a trial was added reads the study; a line on stderr for each is noise.
optuna.logging.set_verbosity(optuna.logging.WARNING)


def open_reader(folder: Path) -> optuna.Study:
    """The study in `folder`, to be read. Raises StudyError.

    No connection stays open between two calls: the folder can be moved or deleted while a page looks at it. That the
    tables are those of this Optuna is for the writer to check, which takes it a tenth of a second.
    """
    path = _existing(folder)
    try:
        storage = RDBStorage(
            _url(path), {"poolclass": NullPool, **_patience()}, skip_compatibility_check=True, skip_table_creation=True
        )
        return _load(storage)
    except UNREADABLE as error:
        raise StudyError(f"{folder.name}: {FILE} cannot be read ({one_line(error)})") from error


def open_writer(folder: Path, *, higher_is_better: bool | None = None) -> tuple[optuna.Study, RDBStorage]:
    """The study in `folder`, to be written by its one coordinator; a direction makes a new one. Raises StudyError.

    The journal is a write-ahead log, so that readers and writer never wait for each other. A commit does not wait for
    the disk: a process that is killed loses nothing, a machine that loses power the last moments.
    """
    path = folder / FILE if higher_is_better is not None else _existing(folder)
    try:
        storage = RDBStorage(_url(path), _patience(), skip_table_creation=higher_is_better is None)
        sqlalchemy.event.listen(storage.engine, "connect", _write_ahead)
        storage.engine.dispose()  # the connection that made the tables knows nothing of it
        if higher_is_better is None:
            return _load(storage), storage
        direction = StudyDirection.MAXIMIZE if higher_is_better else StudyDirection.MINIMIZE
        study = optuna.create_study(storage=storage, study_name=STUDY, direction=direction, sampler=_no_sampler())
        return study, storage
    except UNREADABLE as error:
        raise StudyError(f"{folder.name}: {FILE} cannot be opened ({one_line(error)})") from error


def _existing(folder: Path) -> Path:
    if not (folder / FILE).is_file():
        raise StudyError(f"{folder.name}: {FILE} is missing")
    return folder / FILE


def _url(path: Path) -> str:
    return sqlalchemy.URL.create("sqlite", database=str(path.absolute())).render_as_string()


def _patience() -> dict[str, Any]:
    return {"connect_args": {"timeout": BUSY_SECONDS}}


def _write_ahead(connection: Any, record: Any) -> None:
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = normal")


def _load(storage: RDBStorage) -> optuna.Study:
    return optuna.load_study(study_name=STUDY, storage=storage, sampler=_no_sampler())


def _no_sampler() -> optuna.samplers.BaseSampler:
    """Trials are added with all of their values; nothing is ever left for a sampler to choose."""
    return optuna.samplers.RandomSampler(seed=0)


def one_line(error: BaseException) -> str:
    """The first line of what an error says."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def stored_as(space: Mapping[str, Values]) -> dict[str, BaseDistribution]:
    """What each field is called in `study.db`. Ranges of numbers and every known word, not the values that are swept:
    Optuna lets a range grow later, but not a list of choices, and a study can be given further values."""
    return {name: _stored(name, values) for name, values in space.items()}


def _stored(name: str, values: Values) -> BaseDistribution:
    choices = known_choices(name)
    if isinstance(values, Range):
        return _range(kind_of(name), values.low, values.high, log=values.log)
    if choices is not None:
        return CategoricalDistribution(choices)
    numbers = [value for value in values if not isinstance(value, str)]
    if len(numbers) < len(values):
        return CategoricalDistribution(values)
    return _range(kind_of(name), min(numbers), max(numbers), log=False)


def _range(kind: Any, low: float, high: float, *, log: bool) -> BaseDistribution:
    return IntDistribution(int(low), int(high), log=log) if kind is int else FloatDistribution(low, high, log=log)


def sampled_as(space: Mapping[str, Values]) -> dict[str, BaseDistribution]:
    """What a sampler may choose from: the values of the space, and those between the steps of real numbers."""
    return {name: _sampled(name, values) for name, values in space.items()}


def _sampled(name: str, values: Values) -> BaseDistribution:
    if not isinstance(values, Range):
        return CategoricalDistribution(values)
    if values.step is not None and kind_of(name) is int:
        # Its end has to lie on a step, or Optuna warns and moves it.
        high = values.low + (values.high - values.low) // values.step * values.step
        return IntDistribution(int(values.low), int(high), step=int(values.step))
    # Steps of real numbers are the sampler's to keep: Optuna takes 0.1 + 0.2 for no step.
    return _range(kind_of(name), values.low, values.high, log=values.log)
