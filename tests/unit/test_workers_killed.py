"""A worker that is killed loses at most a second, and its race goes on to the same end."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import pytest
from nursery import Nursery

from triadapt.config import RunConfig, parse_config
from triadapt.events import Checkpointed, Step, encode
from triadapt.runs.library import find
from triadapt.runs.reader import RunReader
from triadapt.workers import worker
from triadapt.workers.manager import RunManager

TINY = {"blocks": 1, "width": 16, "heads": 2, "tokens": 4, "pool": 64, "held_out": 16}
METHODS = ("triadaptlora", "adalora")
KILLS = 10


def configs() -> list[RunConfig]:
    values = {"steps": 2000, "warmup": 100, "interval": 50, "batch_size": 8, "eval_every": 500, "planted": TINY}
    return [parse_config({**values, "method": method}) for method in METHODS]


def told(reader: RunReader) -> list[tuple[str, bytes]]:
    """What a run says, but for where its checkpoints lie."""
    return [encode(row.event) for row in reader.events() if not isinstance(row.event, Checkpointed)]


@pytest.fixture
def manager(tmp_path: Path, nursery: Nursery, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunManager]:
    """With workers that need not import torch each time."""
    made = SimpleNamespace(Popen=nursery.popen, PIPE=subprocess.PIPE, TimeoutExpired=subprocess.TimeoutExpired)
    monkeypatch.setattr(worker, "subprocess", made)
    manager = RunManager(tmp_path / "runs")
    yield manager
    manager.shutdown()


def steps_seen(manager: RunManager, race: str) -> int:
    """The step of the slowest run of a race, as the worker last reported it."""
    with manager._changed:
        job = manager._current
        return int(job.progress.get("step", 0)) if job is not None and job.race == race else 0


def kill_at_a_random_moment(manager: RunManager, race: str, chance: random.Random) -> int:
    """Kill the worker some time after it began to step. Returns a step it had done a second before."""
    pause, history = Event(), list[tuple[float, int]]()
    until = None
    while until is None or time.monotonic() < until:
        step = steps_seen(manager, race)
        history.append((time.monotonic(), step))
        if until is None and step > 0:
            until = time.monotonic() + chance.uniform(0.0, 1.2)
        pause.wait(0.01)
    killed = time.monotonic()
    os.kill(manager._worker.pid, signal.SIGKILL)
    return max([step for at, step in history if at <= killed - 1.0], default=0)


@pytest.mark.timeout(420)
def test_killed_ten_times_every_run_stays_readable_and_resumes_to_the_same_end(manager: RunManager) -> None:
    reference = manager.submit(configs())
    chance = random.Random(7)
    race, kills = "", 0
    while kills < KILLS:
        if not race:
            race = manager.submit(configs())
            assert manager.wait(reference, 120)
        surely_done = kill_at_a_random_moment(manager, race, chance)
        kills += 1
        assert manager.wait(race, 60)
        for info in find(manager.runs, race):
            events = [row.event for row in RunReader(manager.runs / info.id).events()]
            steps = [event.step for event in events if isinstance(event, Step)]
            assert steps == list(range(len(steps))), "a step is missing"
            if info.state != "finished":
                assert (info.state, "signal 9" in info.error) == ("failed", True)
                assert info.last_step + 1 >= surely_done
        if all(info.state == "finished" for info in find(manager.runs, race)):  # a machine too quick for the kill
            race, kills = "", kills - 1
            continue
        manager.resume(race)
    assert manager.wait(race, 120)
    for expected, info in zip(find(manager.runs, reference), find(manager.runs, race), strict=True):
        assert info.state == "finished"
        assert told(RunReader(manager.runs / info.id)) == told(RunReader(manager.runs / expected.id))
