"""Read a run while it is being written, or after."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from triadapt.events import Stamped, Step, decode
from triadapt.runs import schema
from triadapt.runs.info import LIVE, DamagedRunError, RunInfo
from triadapt.runs.liveness import Owner, is_alive


class Row(NamedTuple):
    """An event as the file holds it."""

    seq: int
    step: int
    kind: str
    time: float
    body: str
    arrays: bytes


_COLUMNS = ", ".join(Row._fields)
_Found = Iterable[tuple[int, int, str, float, str, bytes]]
"""The fields of rows, not kept: of a long run there are many."""


class RunReader:
    """Reads the run in `folder`. Holds nothing open between calls: threads can share it, nobody has to close it."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._path = self.folder / schema.FILE

    def info(self) -> RunInfo:
        """The run at a glance; a damaged run gives `state="damaged"` and says why in `error`. Never raises."""
        try:
            return schema.read(self._path, self._info)
        except (DamagedRunError, ValueError, TypeError, KeyError) as error:
            return RunInfo(id=self.folder.name, state="damaged", error=_one_line(error), folder=self.folder)

    def events(self, after: int = 0, limit: int | None = None) -> list[Stamped]:
        """Events with a sequence number above `after`, oldest first, at most `limit`. Raises DamagedRunError."""
        return schema.read(self._path, lambda connection: self._stamped(_rows(connection, after, limit)))

    def rows(self, after: int = 0, limit: int | None = None) -> list[Row]:
        """Like `events`, not decoded."""
        return schema.read(self._path, lambda connection: [Row(*row) for row in _rows(connection, after, limit)])

    def events_of(self, *kinds: str, after: int = 0) -> list[Stamped]:
        """Events of some kinds alone with a sequence number above `after`, oldest first. Raises DamagedRunError."""

        def query(connection: sqlite3.Connection) -> list[Stamped]:
            marks = ", ".join("?" * len(kinds))
            return self._stamped(
                connection.execute(
                    f"select {_COLUMNS} from events where kind in ({marks}) and seq > ? order by seq", (*kinds, after)
                )
            )

        return schema.read(self._path, query)

    def first_of(self, kind: str) -> Stamped | None:
        """The first event of a kind; None where there is none. Raises DamagedRunError."""
        return self._one_of(kind, "asc")

    def last_of(self, kind: str) -> Stamped | None:
        """The newest event of a kind; None where there is none. Raises DamagedRunError."""
        return self._one_of(kind, "desc")

    def _one_of(self, kind: str, order: str) -> Stamped | None:
        def query(connection: sqlite3.Connection) -> list[Stamped]:
            return self._stamped(
                connection.execute(
                    f"select {_COLUMNS} from events where kind = ? order by seq {order} limit 1", (kind,)
                )
            )

        return next(iter(schema.read(self._path, query)), None)

    def values_of(self, kind: str, name: str) -> list[Any]:
        """A plain field of all events of a kind, without an object for each; None where an event does not have it.
        Raises DamagedRunError."""

        def query(connection: sqlite3.Connection) -> list[tuple[str]]:
            return connection.execute("select body from events where kind = ? order by seq", (kind,)).fetchall()

        rows = schema.read(self._path, query)
        try:
            return [json.loads(body).get(name) for (body,) in rows]
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise DamagedRunError(f"{self._path}: {kind}: {_one_line(error)}") from error

    def losses(self) -> tuple[list[int], list[float], list[float]]:
        """Steps, losses and times of all `Step` events, without an object for each. Raises DamagedRunError."""

        def query(connection: sqlite3.Connection) -> list[tuple[int, float, str]]:
            return connection.execute(
                "select step, time, body from events where kind = ? order by seq", (Step.kind,)
            ).fetchall()

        rows = schema.read(self._path, query)
        try:
            losses = [float(body["loss"]) for body in json.loads(f"[{','.join(row[2] for row in rows)}]")]
            return [row[0] for row in rows], losses, [row[1] for row in rows]
        except (ValueError, TypeError, KeyError) as error:
            raise DamagedRunError(f"{self._path}: losses: {_one_line(error)}") from error

    def snapshot(self, after: int = 0) -> tuple[RunInfo, list[Stamped]]:
        """`info` and `events` of one and the same moment, so that the generation belongs to the events."""

        def query(connection: sqlite3.Connection) -> tuple[RunInfo, list[Stamped]]:
            return self._info(connection), self._stamped(_rows(connection, after, None))

        return schema.read(self._path, query)

    def owner(self) -> Owner | None:
        """The process that wrote the state last; None when the file does not tell."""
        try:
            return Owner(**schema.read(self._path, schema.get_meta)["owner"])
        except (DamagedRunError, TypeError, KeyError):
            return None

    def _stamped(self, rows: _Found) -> list[Stamped]:
        events = []
        for seq, step, kind, time, body, arrays in rows:
            try:
                events.append(Stamped(seq, time, decode(kind, step, body, arrays)))
            except ValueError as error:
                raise DamagedRunError(f"{self._path}: event {seq}: {_one_line(error)}") from error
        return events

    def _info(self, connection: sqlite3.Connection) -> RunInfo:
        meta = schema.get_meta(connection)
        progress = meta["progress"]
        state = meta["state"]
        if state in LIVE and not is_alive(Owner(**meta["owner"]), meta["heartbeat"]):
            state = "interrupted"
        last_seq = connection.execute("select coalesce(max(seq), 0) from events").fetchone()[0]
        config = meta["config"]
        return RunInfo(
            # A copied folder is a run of its own: its name counts, not what the file once was called.
            id=self.folder.name,
            race=meta["race"],
            position=meta["position"],
            name=meta["name"],
            note=meta["note"],
            method=config["method"],
            task=config["task"],
            state=state,
            error=meta["error"],
            created=meta["created"],
            steps=config["steps"],
            last_step=progress["last_step"],
            last_seq=last_seq,
            generation=meta["generation"],
            seconds=progress["seconds"],
            total_rank=progress["total_rank"],
            target_total_rank=progress["target_total_rank"],
            metric=progress["metric"],
            metric_value=progress["metric_value"],
            folder=self.folder,
            config=config,
            lineage=meta["lineage"],
            measured=meta.get("measured", {}),
            rank_kind=progress.get("rank_kind", ""),
        )


def _rows(connection: sqlite3.Connection, after: int, limit: int | None) -> _Found:
    return connection.execute(
        f"select {_COLUMNS} from events where seq > ? order by seq limit ?", (after, -1 if limit is None else limit)
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
