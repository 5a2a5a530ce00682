"""What is read once for many: runs at a glance, and their events."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from triadapt.config import parse_config
from triadapt.events import Finished, Step
from triadapt.runs import known_infos, schema
from triadapt.runs.info import DamagedRunError
from triadapt.runs.known_infos import KnownInfos
from triadapt.runs.library import delete, new_race
from triadapt.runs.reader import RunReader
from triadapt.runs.shared_reader import KEPT_SECONDS, SharedReader, SharedReaders
from triadapt.runs.store import RunStore


def a_run(runs: Path) -> Path:
    return new_race(runs, [parse_config({"method": "lora", "steps": 100})]).folders[0]


def seqs(reader: RunReader, after: int = 0) -> list[int]:
    return [event.seq for event in reader.snapshot(after)[1]]


def test_an_info_is_read_again_when_its_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_infos, "LIVE_SECONDS", 3600.0)
    folder, known = a_run(tmp_path), KnownInfos()
    assert known.info(folder) == RunReader(folder).info() and known.info(folder) is known.info(folder)
    with RunStore.open(folder) as store:
        for step in range(3):
            store.append(Step(step, 1.0, 0.1))
        store.flush()
        assert known.info(folder).last_step == 2
        store.append(Finished(2, {}))
    assert known.info(folder).state == "finished"
    delete(tmp_path, folder.name)
    assert known.info(folder).state == "damaged"


def test_a_run_that_could_not_be_read_once_is_not_damaged_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, known = a_run(tmp_path), KnownInfos()
    with RunStore.open(folder) as store:
        store.append(Finished(0, {}))

    def locked(*given: object) -> None:
        raise sqlite3.OperationalError("database is locked")

    with monkeypatch.context() as patched:
        patched.setattr(schema, "_ask", locked)
        assert known.info(folder).state == "damaged"
    assert known.info(folder).state == "finished" and known.info(folder) is known.info(folder)


def test_no_more_infos_are_kept_than_may_be(tmp_path: Path) -> None:
    known, folders = KnownInfos(most=2), [a_run(tmp_path) for _ in range(4)]
    for folder in folders:
        known.info(folder)
    assert len(known._known) == 2


@pytest.mark.parametrize("most", [1000, 5])
def test_shared_events_are_those_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr("triadapt.runs.shared_reader.LIVE_SECONDS", 0.0)
    folder = a_run(tmp_path)
    shared, plain = SharedReader(folder, most), RunReader(folder)
    with RunStore.open(folder) as store:
        for step in range(36):
            store.append(Step(step, 1.0, 0.1))
            if step % 7 == 0:
                store.flush()
                for after in (0, 1, step // 2, step, step + 5):
                    assert seqs(shared, after) == seqs(plain, after)
                    assert shared.snapshot(after)[0] == plain.snapshot(after)[0]
    assert len(shared._events) == min(most, 36)


def test_events_that_were_taken_back_are_gone(tmp_path: Path) -> None:
    folder = a_run(tmp_path)
    shared = SharedReader(folder)
    with RunStore.open(folder) as store:
        for step in range(10):
            store.append(Step(step, 1.0, 0.1))
        store.flush()
        before = shared.snapshot()[1]
        store.rewind(4)
        store.append(Step(5, 2.0, 0.1))
    assert seqs(shared) == seqs(RunReader(folder)) != [event.seq for event in before] and len(before) == 10


def test_a_run_that_is_gone_or_damaged_is_said_and_can_come_back(tmp_path: Path) -> None:
    folder = a_run(tmp_path)
    shared = SharedReader(folder)
    shared.snapshot()
    whole = (folder / "run.db").read_bytes()
    (folder / "run.db").write_bytes(b"no database" * 100)
    with pytest.raises(DamagedRunError):
        shared.snapshot()
    (folder / "run.db").write_bytes(whole)
    assert seqs(shared) == seqs(RunReader(folder))


def test_those_looked_at_last_are_kept(tmp_path: Path) -> None:
    readers, folders = SharedReaders(most=2), [a_run(tmp_path) for _ in range(3)]
    first = readers.reader(folders[0])
    readers.reader(folders[1])
    assert readers.reader(folders[0]) is first
    readers.reader(folders[2])
    assert readers.reader(folders[0]) is first and len(readers._readers) == 2


def test_those_nobody_looks_at_any_more_are_not_kept(tmp_path: Path) -> None:
    clock = [0.0]
    readers, folders = SharedReaders(most=100, now=lambda: clock[0]), [a_run(tmp_path) for _ in range(3)]
    first = readers.reader(folders[0])
    readers.reader(folders[1])
    for _ in range(10):  # one is looked at all the time
        clock[0] += KEPT_SECONDS / 2
        assert readers.reader(folders[0]) is first
    assert list(readers._readers) == [folders[0]]
    clock[0] += KEPT_SECONDS + 1
    readers.reader(folders[2])
    assert list(readers._readers) == [folders[2]]
