"""Studies whose processes die: coordinator, workers, or whoever started them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from sweep_sessions import HANG_FILE

from triadapt import cli
from triadapt.events import Stopped
from triadapt.runs.library import list_runs
from triadapt.runs.reader import RunReader
from triadapt.sweeps.config import parse_sweep
from triadapt.sweeps.library import list_studies, new_study
from triadapt.sweeps.local import ORPHANED
from triadapt.sweeps.process import STARTER_GONE, StudyProcess
from triadapt.sweeps.record import read_study
from triadapt.sweeps.space import key
from triadapt.sweeps.state import give_order, read_info

FAKE = "sweep_sessions:open_sessions"
STUDY = """
seeds = 2
workers = 2
[base]
method = "triadaptlora"
steps = 30
[space]
warmup = [2, 4]
interval = [5, 10]
"""


@pytest.fixture(autouse=True)
def _workers_find_the_fake_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent) + os.pathsep + os.environ.get("PYTHONPATH", ""))


def until(true: Callable[[], Any], what: str, seconds: float = 60) -> None:
    end, tick = time.monotonic() + seconds, threading.Event()
    while not true():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        tick.wait(0.02)


def family(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def hanging(runs: Path) -> list[str]:
    """Ids of the runs that wait at step 12."""
    return [info.id for info in list_runs(runs) if info.state == "running" and info.last_step == 11]


def test_killed_half_way_with_all_its_workers_a_study_is_resumed_to_its_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "study.toml").write_text(STUDY)
    (tmp_path / HANG_FILE).touch()
    command = ["sweep", "--sessions", FAKE, "--runs", str(tmp_path), "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "triadapt", *command, str(tmp_path / "study.toml")], stderr=subprocess.DEVNULL
    ) as process:
        until(lambda: len(hanging(tmp_path)) == 2, "two runs to hang")
        (info,) = list_studies(tmp_path)
        assert info.folder is not None
        until(lambda: read_info(tmp_path / "studies" / info.id).counts.get("complete") == 4, "the first seed")
        for victim in [process, *family(process.pid)]:
            victim.kill()
    killed = read_study(info.folder)
    assert killed.info.state == "interrupted"
    assert [t.state for t in killed.trials] == ["complete"] * 4 + ["interrupted"] * 2 + ["waiting"] * 2
    (tmp_path / HANG_FILE).unlink()
    assert cli.main([*command, "--resume", info.id]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["study"]["state"] == "finished" and told["study"]["counts"] == {"complete": 8}
    record = read_study(info.folder)
    assert len({(key(trial.point), trial.seed) for trial in record.trials}) == 8 == len(list_runs(tmp_path))
    assert record.trials[:4] == killed.trials[:4]
    assert [trial.run for trial in record.trials[4:6]] == [trial.run for trial in killed.trials[4:6]]
    for trial in record.trials[4:6]:
        reader = RunReader(tmp_path / trial.run)
        assert reader.info().generation == 1, "it went on from its checkpoint"
        assert [e.event.step for e in reader.events_of("step")] == list(range(30))


def test_nothing_trains_on_without_a_coordinator(tmp_path: Path) -> None:
    values = {"base": {"steps": 1_000_000, "interval": 10}, "space": {"warmup": [2, 4]}, "seeds": 1, "workers": 2}
    folder = new_study(tmp_path, parse_sweep(values))

    def started() -> tuple[StudyProcess, list[int]]:
        before = [info.last_step for info in list_runs(tmp_path)] or [-1, -1]
        process = StudyProcess(folder, FAKE)
        until(lambda: all(i.last_step > b for i, b in zip(list_runs(tmp_path), before, strict=False)), "steps")
        until(lambda: sum(info.state == "running" for info in list_runs(tmp_path)) == 2, "two runs")
        return process, [worker.pid for worker in family(process.pid)]

    def reasons() -> list[str]:
        events = [RunReader(tmp_path / info.id).events_of("stopped")[-1].event for info in list_runs(tmp_path)]
        return [event.reason for event in events if isinstance(event, Stopped)]

    process, workers = started()
    assert process.close() == 0, "its standard input was closed"
    assert (read_info(folder).state, read_info(folder).message) == ("stopped", STARTER_GONE)
    assert reasons() == [STARTER_GONE] * 2 and not any(psutil.pid_exists(pid) for pid in workers)

    process, workers = started()
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: not process.alive and not any(psutil.pid_exists(pid) for pid in workers), "the workers to end")
    assert read_info(folder).state == "interrupted" and reasons() == [ORPHANED] * 2

    process, workers = started()
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: not process.alive, "its death")
    process, workers = started()  # at once, while the old workers may still be writing
    process.stop()
    until(lambda: not process.alive, "the coordinator to end")
    assert process.close() == 0 and read_info(folder).state == "stopped"
    assert len(list_runs(tmp_path)) == 2


def test_a_killed_worker_costs_one_attempt_and_no_trial(tmp_path: Path) -> None:
    (tmp_path / HANG_FILE).touch()
    values = {"base": {"steps": 30, "interval": 5}, "space": {"warmup": [2, 4]}, "seeds": [8], "workers": 1}
    folder = new_study(tmp_path, parse_sweep(values))
    process = StudyProcess(folder, FAKE)
    until(lambda: hanging(tmp_path), "a run to hang")
    (tmp_path / HANG_FILE).unlink()
    (worker,) = family(process.pid)
    worker.kill()
    until(lambda: not process.alive, "the study to end")
    record = read_study(folder)
    assert [(trial.state, trial.attempts) for trial in record.trials] == [("complete", 2), ("complete", 1)]
    assert process.close() == 0 and record.info.state == "finished"


def test_a_study_whose_workers_cannot_start_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "study.toml").write_text(STUDY)
    command = ["sweep", str(tmp_path / "study.toml"), "--runs", str(tmp_path), "--sessions", "no_such_module:sessions"]
    assert cli.main([*command, "--json"]) == 1
    printed = capsys.readouterr()
    (line,) = [line for line in printed.err.splitlines() if line.startswith("triadapt:")]
    assert "no worker can start: ModuleNotFoundError: No module named 'no_such_module'" in line
    study = json.loads(printed.out)["study"]
    assert study["state"] == "failed" and study["message"] in line
    give_order(tmp_path / "studies" / study["id"], "stop")
    assert cli.main(["sweep", "--resume", study["id"], "--runs", str(tmp_path), "--sessions", FAKE]) == 0
    printed = capsys.readouterr()
    assert printed.err == f"study {study['id']}\n" and "95 % interval" in printed.out
    assert "Best of 4 points: warmup = 4, interval = 5, with relative loss" in printed.out
    assert cli.main(["studies", "--runs", str(tmp_path)]) == 0 and "8/8" in capsys.readouterr().out
    assert cli.main(["studies", study["id"], "--runs", str(tmp_path)]) == 0 and capsys.readouterr().out == printed.out
