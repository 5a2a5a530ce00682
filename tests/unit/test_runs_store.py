import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from triadapt.config import RunConfig, load_toml, parse_config
from triadapt.events import (
    Baseline,
    Checkpointed,
    Evaluation,
    Event,
    Failed,
    Finished,
    Geometry,
    Matrix,
    RankEvent,
    Scores,
    Started,
    Step,
    Stopped,
    Warned,
    encode,
)
from triadapt.runs.info import DamagedRunError, RunError
from triadapt.runs.store import RunReader, RunStore

CONFIG = parse_config({"method": "lora", "steps": 40})
NAME = "20260102-030405-abcd-lora"


def make(folder: Path, config: RunConfig = CONFIG) -> RunStore:
    return RunStore.create(folder / NAME, config, run_id=NAME, race=NAME[:20], name="a name", position=2)


def started(step: int = 0) -> Started:
    return Started(
        step=step, config=CONFIG.as_dict(), matrices=[Matrix("m", 0, "q", (4, 8), 3), Matrix("n", 0, "k", (4, 4))],
        method="lora", task="planted", allocation="fixed", core_kind="none", metric="recovered", higher_is_better=True,
        total_step=40, start_total_rank=2, target_total_rank=6, trainable_parameters=24, planned=[3, 6], device="cpu",
    )  # fmt: skip


numbers = st.floats(width=64)
texts = st.text(st.characters(codec="utf-8"), max_size=30)
steps = st.integers(0, 10**6)
f4 = nps.arrays("<f4", st.integers(0, 5))
u2 = nps.arrays("<u2", st.integers(0, 5))
metrics = st.dictionaries(texts, numbers, max_size=3)
EVENTS = st.one_of(
    st.builds(Step, steps, numbers, numbers),
    st.builds(Scores, steps, f4),
    st.builds(
        RankEvent, steps, texts, numbers, steps, st.lists(st.integers(0, 9), max_size=4), steps, steps, steps,
        f4, u2, u2, f4, u2,
    ),
    st.builds(Evaluation, steps, metrics),
    st.builds(Baseline, steps, texts, numbers),
    st.builds(Geometry, steps, u2, f4, f4),
    st.builds(Warned, steps, texts, texts, texts),
    st.builds(Checkpointed, steps, texts),
    st.builds(Finished, steps, metrics),
    st.builds(Stopped, steps, texts),
    st.builds(Failed, steps, texts, texts),
    st.builds(started, steps),
)  # fmt: skip


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(EVENTS, max_size=12))
def test_every_kind_of_event_comes_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, events: list[Event]
) -> None:
    folder = tmp_path_factory.mktemp("runs")
    with make(folder) as store:
        for event in events:
            store.append(event)
        store.flush()
        open_ = RunReader(store.folder).events()
    closed = RunReader(folder / NAME).events()
    for read in (open_, closed):
        assert [type(s.event) for s in read] == [type(event) for event in events]
        assert [encode(s.event) for s in read] == [encode(event) for event in events]
        assert [s.seq for s in read] == list(range(1, len(events) + 1))


def test_a_reader_gets_only_what_is_newer_while_the_writer_is_open(tmp_path: Path) -> None:
    with make(tmp_path) as store:
        reader = RunReader(store.folder)
        store.append(started())
        assert [s.event.kind for s in reader.events()] == ["started"]
        for step in range(3):
            store.append(Step(step, 1.0, 0.1))
        store.flush()
        assert [s.event.step for s in reader.events(after=2)] == [1, 2]
        assert [s.seq for s in reader.events(after=1, limit=2)] == [2, 3]
        assert reader.events(after=4) == []
        info, rows = reader.snapshot(after=3)
        assert info.last_seq == rows[-1].seq == 4


def test_info_tells_the_progress_of_a_run(tmp_path: Path) -> None:
    with make(tmp_path) as store:
        before = RunReader(store.folder).info()
        store.set_state("running")
        store.append(started())
        store.append(Step(0, 1.0, 0.1))
        store.append(Evaluation(1, {"recovered": 0.25, "loss": 3.0}))
        store.append(RankEvent(1, "top", 0.0, 1, [0], 3, 30, 80, ranks=np.array([2, 1], np.uint16)))
        info = RunReader(store.folder).info()
    assert (before.state, before.last_step, before.total_rank, before.metric_value) == ("queued", -1, None, None)
    assert (info.id, info.race, info.position, info.name) == (NAME, NAME[:20], 2, "a name")
    assert (info.method, info.task, info.steps, info.state) == ("lora", "planted", 40, "running")
    assert (info.last_step, info.last_seq, info.total_rank, info.target_total_rank) == (0, 4, 3, 6)
    assert (info.metric, info.metric_value) == ("recovered", 0.25)
    assert parse_config(load_toml(tmp_path / NAME / "config.toml")) == CONFIG


@pytest.mark.parametrize(
    ("event", "state", "error"),
    [(Finished(1, {}), "finished", ""), (Stopped(1, "why"), "stopped", ""), (Failed(1, "oh", "tb"), "failed", "oh")],
)
def test_the_end_of_a_run_sets_its_state_at_once(tmp_path: Path, event: Event, state: str, error: str) -> None:
    with make(tmp_path) as store:
        store.set_state("running")
        store.append(event)
        info = RunReader(store.folder).info()
    assert (info.state, info.error) == (state, error)


def test_events_reach_the_file_though_nothing_follows_them(tmp_path: Path) -> None:
    with make(tmp_path) as store:
        store.append(started())
        store.append(Step(0, 1.0, 0.1))
        reader, tick = RunReader(store.folder), threading.Event()
        for _ in range(500):
            if len(reader.events()) == 2:
                return
            tick.wait(0.01)
    pytest.fail("the event stayed in memory")


def test_what_was_committed_survives_a_kill(tmp_path: Path) -> None:
    code = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_runs_store import Step, make, started
store = make(Path(sys.argv[1]))
store.set_state("running")
store.append(started())
for step in range(100):
    store.append(Step(step, 1.0, 0.1))
store.flush()
os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    reader = RunReader(tmp_path / NAME)
    assert reader.info().state == "interrupted" and reader.info().resumable
    assert [s.event.step for s in reader.events(after=1)] == list(range(100))
    with RunStore.open(tmp_path / NAME) as store:
        store.append(Stopped(99, "looked at"))
    assert reader.info().state == "stopped" and reader.info().last_seq == 102


def test_rewind_takes_back_what_came_later_and_numbers_go_on(tmp_path: Path) -> None:
    with make(tmp_path) as store:
        store.append(started())
        for step in range(6):
            store.append(Step(step, 1.0, 0.1))
            if step == 2:
                store.append(Evaluation(3, {"recovered": 0.5}))
                store.append(Checkpointed(2, "c"))
        store.append(RankEvent(5, "top", 0.0, 1, [0], 5, 30, 80))
        store.append(Evaluation(6, {"recovered": 0.75}))
        store.append(Failed(5, "oh"))
        reader = RunReader(store.folder)
        store.flush()
        saved = next(s.seq for s in reader.events() if isinstance(s.event, Checkpointed))
        last = reader.info().last_seq
        store.rewind(saved)
        info = reader.info()
        assert (info.last_step, info.total_rank, info.metric_value, info.generation) == (2, 2, 0.5, 1)
        assert [s.event.kind for s in reader.events()][-2:] == ["evaluation", "checkpoint"]
        store.append(Step(3, 1.0, 0.1))
        store.flush()
        assert reader.events(after=saved)[0].seq == last + 1
        store.rewind(0)
        assert reader.events() == [] and reader.info().generation == 2 and store.last_step == -1
        store.append(started())
        assert reader.events()[0].seq == last + 2


def test_time_goes_on_where_it_was_after_a_reopening(tmp_path: Path) -> None:
    with make(tmp_path) as store:
        store.append(started())
        store.start_clock()
        store.append(Step(0, 1.0, 0.1))
        store.append(Stopped(0, "why"))
    before = RunReader(tmp_path / NAME).events()[-1].time
    with RunStore.open(tmp_path / NAME) as store:
        store.set_state("running")
        store.append(Step(1, 1.0, 0.1))
        store.start_clock()
        store.append(Finished(1, {}))
    held, after = (s.time for s in RunReader(tmp_path / NAME).events()[-2:])
    assert held == before < after


def test_a_run_that_another_process_runs_is_not_opened_for_writing(tmp_path: Path) -> None:
    with make(tmp_path) as store:
        store.set_state("running")
        with closing(sqlite3.connect(store.folder / "run.db")) as other, other:
            stat = Path("/proc/1/stat")
            if not stat.exists():
                pytest.skip("needs /proc to find another process that surely lives")
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
            start = stat.read_text().rpartition(")")[2].split()[19]
            owner = {"host": os.uname().nodename, "pid": 1, "started": f"{boot}/{start}"}
            other.execute("update meta set value = json(?) where key = 'owner'", (str(owner).replace("'", '"'),))
        assert RunReader(store.folder).info().state == "running"
        with pytest.raises(RunError, match="is running in process 1"):
            RunStore.open(store.folder)


@pytest.mark.parametrize(
    ("owner", "heartbeat", "state"),
    [
        ('{"host": "elsewhere", "pid": 1, "started": "x"}', 0.0, "interrupted"),
        ('{"host": "elsewhere", "pid": 1, "started": "x"}', 4e9, "running"),
        (f'{{"host": "{os.uname().nodename}", "pid": {os.getpid()}, "started": "before"}}', 4e9, "interrupted"),
    ],
    ids=["old heartbeat of another host", "fresh heartbeat of another host", "process number used again"],
)
def test_a_run_without_a_living_process_is_interrupted(
    tmp_path: Path, owner: str, heartbeat: float, state: str
) -> None:
    with make(tmp_path) as store:
        store.set_state("running")
    with closing(sqlite3.connect(tmp_path / NAME / "run.db")) as file, file:
        file.execute("update meta set value = ? where key = 'owner'", (owner,))
        file.execute("update meta set value = ? where key = 'heartbeat'", (str(heartbeat),))
    assert RunReader(tmp_path / NAME).info().state == state


def test_reading_makes_no_files(tmp_path: Path) -> None:
    with make(tmp_path) as store:
        store.append(started())
    files = sorted(os.listdir(tmp_path / NAME))
    assert files == ["config.toml", "run.db"]
    reader = RunReader(tmp_path / NAME)
    assert reader.info().last_seq == len(reader.events()) == 1
    assert sorted(os.listdir(tmp_path / NAME)) == files


def test_a_reader_in_the_middle_of_reading_does_not_hold_the_writer_up(tmp_path: Path) -> None:
    with make(tmp_path) as store:
        store.append(started())
        path = (store.folder / "run.db").as_uri()
        with closing(sqlite3.connect(f"{path}?mode=ro", uri=True)) as reading:
            reading.execute("begin")
            assert reading.execute("select count(*) from events").fetchone() == (1,)
            store.append(Failed(0, "written at once"))
            assert reading.execute("select count(*) from events").fetchone() == (1,)
        assert len(RunReader(store.folder).events()) == 2


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def _noise(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[100:] = os.urandom(len(data) - 100)
    path.write_bytes(data)


def _foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as file:
        file.execute("create table events (seq)")
        file.commit()


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as file:
        file.execute("pragma user_version = 99")


def _strange_meta(path: Path) -> None:
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("update meta set value = '[1' where key = 'config'")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda path: path.write_bytes(b""), "not a run"),
        (lambda path: path.write_text("something else"), "cannot be read as a run"),
        (_truncate, "cannot be read as a run"),
        (_noise, "cannot be read as a run"),
        (_foreign, "not a run of triadapt"),
        (_newer, "reads format 1"),
        (_strange_meta, ""),
        (lambda path: path.unlink(), "missing"),
    ],
    ids=["empty", "text", "cut", "noise", "another program's", "newer", "strange", "missing"],
)
def test_a_damaged_run_says_so_in_one_line_and_raises_nothing_else(tmp_path: Path, harm, words: str) -> None:  # type: ignore[no-untyped-def]
    with make(tmp_path) as store:
        store.append(started())
    harm(tmp_path / NAME / "run.db")
    info = RunReader(tmp_path / NAME).info()
    assert (info.id, info.state) == (NAME, "damaged") and words in info.error and "\n" not in info.error
    if words:
        with pytest.raises(DamagedRunError):
            RunReader(tmp_path / NAME).events()
        with pytest.raises(DamagedRunError):
            RunStore.open(tmp_path / NAME)


def test_an_event_that_is_none_is_named_by_its_number(tmp_path: Path) -> None:
    with make(tmp_path) as store:
        store.append(started())
    with closing(sqlite3.connect(tmp_path / NAME / "run.db")) as file, file:
        file.execute("insert into events values (7, 0, 'step', 0.0, '{}', x'')")
    for read in (RunReader.events, RunReader.snapshot, lambda reader: reader.events_of("step")):
        with pytest.raises(DamagedRunError, match="event 7: not a valid 'step' event"):
            read(RunReader(tmp_path / NAME))


def test_a_file_that_cannot_be_written_raises_at_the_next_event(tmp_path: Path) -> None:
    store = make(tmp_path)
    with closing(sqlite3.connect(tmp_path / NAME / "run.db")) as other:
        other.execute("create trigger full before insert on events begin select raise(abort, 'disk is full'); end")
        with pytest.raises(sqlite3.Error, match="disk is full"):
            store.append(started())
        other.execute("drop trigger full")
    store.close()
    assert len(RunReader(tmp_path / NAME).events()) == 1
