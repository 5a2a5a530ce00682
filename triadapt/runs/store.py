"""Write a run: one SQLite file, one writer, any number of readers (`RunReader`)."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from triadapt.config import RunConfig
from triadapt.events import (
    Evaluation,
    Event,
    Failed,
    Finished,
    RankEvent,
    Stamped,
    Started,
    Step,
    Stopped,
    Warned,
    decode,
    encode,
)
from triadapt.runs import schema
from triadapt.runs.info import RunError, RunInfo
from triadapt.runs.liveness import this_process
from triadapt.runs.reader import Row, RunReader

__all__ = ["CONFIG_FILE", "RunInfo", "RunReader", "RunStore"]

CONFIG_FILE = "config.toml"
COMMIT_SECONDS = 0.25
HEARTBEAT_SECONDS = 5.0
AT_ONCE = (Started, RankEvent, Warned, Finished, Stopped, Failed)
_ENDS: dict[type[Event], str] = {Finished: "finished", Stopped: "stopped", Failed: "failed"}
_NO_PROGRESS: dict[str, Any] = {
    "last_step": -1, "seconds": 0.0, "total_rank": None, "target_total_rank": None, "metric": "", "metric_value": None,
    "rank_kind": "",
}  # fmt: skip


class RunStore:
    """The writer of one run.

    Events wait in memory for at most `COMMIT_SECONDS` and are then written in one short transaction, by `append` or, if
    a step takes long, by a thread of its own, which also keeps the heartbeat. The file is never locked in between.
    """

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self.folder = folder
        self._connection = connection
        self._lock = threading.Lock()
        self._waiting: list[tuple[int, str, float, str, bytes]] = []
        self._meta: dict[str, Any] = {}
        self._broken: sqlite3.Error | None = None
        self._committed = time.monotonic()
        self._owner = asdict(this_process())
        self._progress = dict(_NO_PROGRESS)
        self._seconds = 0.0
        self._running_since: float | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._keep_up, name=f"store {folder.name}", daemon=True)

    @classmethod
    def create(
        cls,
        folder: Path,
        config: RunConfig,
        *,
        run_id: str,
        race: str,
        name: str,
        position: int = 0,
        lineage: dict[str, Any] | None = None,
        created: float | None = None,
    ) -> Self:
        """Make the run's folder with `run.db` and `config.toml`, in state queued. Raises FileExistsError, OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        connection = schema.create(folder / schema.FILE)
        try:
            store = cls(folder, connection)
            meta = {
                "run_id": run_id, "race": race, "position": position, "name": name, "note": "",
                "created": time.time() if created is None else created, "config": config.as_dict(),
                "lineage": lineage or {}, "state": "queued", "error": "", "generation": 0, "owner": store._owner,
                "heartbeat": time.time(), "progress": store._progress,
            }  # fmt: skip
            with schema.transaction(connection):
                schema.put_meta(connection, meta)
            (folder / CONFIG_FILE).write_text(config.to_toml(), encoding="utf-8")
        except BaseException:
            connection.close()
            raise
        store._thread.start()
        return store

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open an existing run to write on. Raises DamagedRunError, and RunError while another process runs it."""
        info = RunReader(folder).info()
        connection = schema.open_writer(folder / schema.FILE)
        try:
            store = cls(folder, connection)
            meta = schema.get_meta(connection)
            if info.state in ("running", "paused") and meta["owner"] != store._owner:
                raise RunError(f"{info.id}: is {info.state} in process {meta['owner']['pid']}; stop it there first")
            store._progress = meta["progress"]
            store._seconds = _last_time(connection)
        except BaseException:
            connection.close()
            raise
        store._thread.start()
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def last_step(self) -> int:
        """Step of the newest `Step` event, -1 before the first."""
        return int(self._progress["last_step"])

    def append(self, event: Event) -> None:
        """Add an event. `Finished`, `Stopped` and `Failed` set the state too, in the same transaction.

        Raises sqlite3.Error when the file cannot be written (a full disk), also when the writing thread found out.
        """
        body, arrays = encode(event)
        with self._lock:
            if self._broken is not None:
                raise self._broken
            self._waiting.append((event.step, event.kind, self._clock(), body, arrays))
            _note(self._progress, event)
            state = _ENDS.get(type(event))
            if state is not None:
                self._change_state(state, event.error if isinstance(event, Failed) else "")
            if isinstance(event, AT_ONCE) or time.monotonic() - self._committed >= COMMIT_SECONDS:
                self._write()

    def copy_events(self, events: Iterable[Stamped]) -> None:
        """Take over events of another file with their times, in one transaction."""
        with self._lock:
            for stamped in events:
                body, arrays = encode(stamped.event)
                self._waiting.append((stamped.event.step, stamped.event.kind, stamped.time, body, arrays))
                _note(self._progress, stamped.event)
                self._seconds = max(self._seconds, stamped.time)
            self._write()

    def flush(self) -> None:
        """Write what waits."""
        with self._lock:
            self._write()

    def set_state(self, state: str, error: str = "") -> None:
        """Write the state at once; the calling process becomes the owner. Any state but `running` holds the clock."""
        with self._lock:
            self._change_state(state, error)
            self._write()

    def set_measured(self, values: dict[str, float]) -> None:
        """Keep what was measured of the run beside its events, such as `step_seconds`; written with what comes next."""
        with self._lock:
            self._meta["measured"] = values

    def start_clock(self) -> None:
        """Let the run's time go on. Getting ready does not count, so this is not part of the state `running`."""
        with self._lock:
            if self._running_since is None:
                self._running_since = time.monotonic()

    def rewind(self, seq: int) -> None:
        """Take back every event after number `seq` (0: every event), for a resume from the checkpoint written there.

        Sequence numbers are not used again, and the generation goes up so that readers notice.
        """
        with self._lock:
            self._write()
            with schema.transaction(self._connection):
                self._connection.execute("delete from events where seq > ?", (seq,))
                self._progress = self._retold()
                self._seconds = _last_time(self._connection)
                generation = schema.get_meta(self._connection)["generation"] + 1
                schema.put_meta(self._connection, {"generation": generation, "progress": self._progress})
            if self._running_since is not None:
                self._running_since = time.monotonic()

    def close(self) -> None:
        """Write what waits and close the file."""
        if self._closing.is_set():
            return
        self._closing.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()
        try:
            self.flush()
        finally:
            self._connection.close()

    def _clock(self) -> float:
        since = self._running_since
        return self._seconds + (0.0 if since is None else time.monotonic() - since)

    def _change_state(self, state: str, error: str) -> None:
        if state != "running":
            self._seconds = self._clock()
            self._running_since = None
        self._meta |= {"state": state, "error": error, "owner": self._owner}

    def _write(self) -> None:
        if not self._waiting and not self._meta:
            return
        self._progress["seconds"] = round(self._clock(), 6)
        with schema.transaction(self._connection):
            self._connection.executemany(
                "insert into events (step, kind, time, body, arrays) values (?, ?, ?, ?, ?)", self._waiting
            )
            schema.put_meta(self._connection, self._meta | {"progress": self._progress, "heartbeat": time.time()})
        self._waiting.clear()
        self._meta = {}
        self._committed = time.monotonic()

    def _keep_up(self) -> None:
        while not self._closing.wait(COMMIT_SECONDS):
            with self._lock:
                try:
                    idle = time.monotonic() - self._committed
                    if idle >= HEARTBEAT_SECONDS:
                        with suppress(sqlite3.OperationalError):  # a missed beat is no loss
                            schema.put_meta(self._connection, {"heartbeat": time.time()})
                            self._committed = time.monotonic()
                    elif idle >= COMMIT_SECONDS:
                        self._write()
                except sqlite3.Error as error:
                    self._broken = error
                    return

    def _retold(self) -> dict[str, Any]:
        """Progress as the events that are left tell it. Only kinds that matter are read, and of each the newest."""
        progress = dict(_NO_PROGRESS)
        for kind in ("started", "step", "rank", "evaluation"):
            found = self._connection.execute(
                "select seq, step, kind, time, body, arrays from events where kind = ? order by seq desc limit 1",
                (kind,),
            ).fetchone()
            if found is not None:
                row = Row(*found)
                _note(progress, decode(row.kind, row.step, row.body, row.arrays))
        return progress


def _last_time(connection: sqlite3.Connection) -> float:
    return float(connection.execute("select coalesce(max(time), 0.0) from events").fetchone()[0])


def _note(progress: dict[str, Any], event: Event) -> None:
    match event:
        case Step():
            progress["last_step"] = event.step
        case Started():
            progress["total_rank"] = event.start_total_rank
            progress["target_total_rank"] = event.target_total_rank
            progress["metric"] = event.metric
            progress["rank_kind"] = event.rank_kind
        case RankEvent():
            progress["total_rank"] = event.total_rank
        case Evaluation() | Finished():
            progress["metric_value"] = event.metrics.get(progress["metric"], progress["metric_value"])
        case _:
            pass
