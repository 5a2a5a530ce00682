"""The SQLite file of a run: its tables, how it is opened for writing and for reading."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from triadapt.runs.info import DamagedRunError

FILE = "run.db"
APPLICATION_ID = 0x54524941
VERSION = 1
BUSY_MILLISECONDS = 5000

T = TypeVar("T")

_TABLES = """
create table meta (key text primary key, value text not null) without rowid;
create table events (
    seq integer primary key autoincrement,
    step integer not null,
    kind text not null,
    time real not null,
    body text not null,
    arrays blob not null
);
create index events_by_kind on events (kind, seq);
"""


def create(path: Path) -> sqlite3.Connection:
    """Make a new run file. Raises FileExistsError when there is one."""
    with open(path, "xb"):
        pass
    connection = _writer(path)
    connection.executescript(
        f"pragma application_id = {APPLICATION_ID}; pragma user_version = {VERSION}; begin; {_TABLES} commit;"
    )
    return connection


def open_writer(path: Path) -> sqlite3.Connection:
    """Open an existing run file for writing. Raises DamagedRunError."""
    if not path.is_file():
        raise DamagedRunError(f"{path}: {FILE} is missing")
    with _explained(path):
        connection = _writer(path)
        try:
            check(connection, path)
        except Exception:
            connection.close()
            raise
    return connection


def _writer(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_MILLISECONDS / 1000, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = normal")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Raise DamagedRunError unless this is a run file of a version this program reads."""
    found = connection.execute("pragma application_id").fetchone()[0]
    if found != APPLICATION_ID:
        raise DamagedRunError(f"{path}: an SQLite file, but not a run of triadapt")
    version = connection.execute("pragma user_version").fetchone()[0]
    if version != VERSION:
        raise DamagedRunError(f"{path}: written in format {version}, this version of triadapt reads format {VERSION}")


def read(path: Path, query: Callable[[sqlite3.Connection], T]) -> T:
    """Run `query` on a short-lived connection that never writes, never blocks the writer and makes no files.

    A file without a write-ahead log beside it has no writer. It is opened as immutable, because even a read-only
    connection would put a log beside it; if a writer came meanwhile, the query is asked again. Raises DamagedRunError.
    """
    if not path.is_file():
        raise DamagedRunError(f"{path}: {FILE} is missing")
    with _explained(path):
        for _ in range(3):
            before = _fingerprint(path)
            if before[0]:
                break
            try:
                answer = _ask(path, "immutable=1", query)
            except (sqlite3.DatabaseError, DamagedRunError):
                if _fingerprint(path) == before:
                    raise
            else:
                if _fingerprint(path) == before:
                    return answer
        return _ask(path, "mode=ro", query)


def _ask(path: Path, mode: str, query: Callable[[sqlite3.Connection], T]) -> T:
    uri = f"{path.absolute().as_uri()}?{mode}"
    with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_MILLISECONDS / 1000, isolation_level=None)) as connection:
        connection.execute("begin")
        check(connection, path)
        return query(connection)


def _fingerprint(path: Path) -> tuple[bool, int, int]:
    status = path.stat()
    return path.with_name(path.name + "-wal").exists(), status.st_mtime_ns, status.st_size


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise DamagedRunError(f"{path}: cannot be read as a run ({error})") from error
    except OSError as error:
        raise DamagedRunError(f"{path}: cannot be read ({error.strerror})") from error


def get_meta(connection: sqlite3.Connection) -> dict[str, Any]:
    """All of the `meta` table."""
    return {key: json.loads(value) for key, value in connection.execute("select key, value from meta")}


def put_meta(connection: sqlite3.Connection, values: dict[str, Any]) -> None:
    """Insert or replace entries of the `meta` table."""
    connection.executemany(
        "insert or replace into meta values (?, ?)", [(key, json.dumps(value)) for key, value in values.items()]
    )


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing."""
    connection.execute("begin immediate")
    try:
        yield
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")
