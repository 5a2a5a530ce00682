import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fake_sessions import TROUBLE

from triadapt.config import RunConfig, parse_config
from triadapt.events import Failed, RankEvent, Step, Stopped
from triadapt.runs.info import RunError
from triadapt.runs.liveness import is_alive
from triadapt.runs.store import RunInfo, RunReader
from triadapt.workers.manager import RunManager

HERE = str(Path(__file__).parent)
FAKE = "fake_sessions:open_sessions"
FOREVER = 1_000_000


@pytest.fixture(autouse=True)
def _workers_find_the_fake_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", HERE)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[RunManager]:
    manager = RunManager(tmp_path, open_sessions=FAKE)
    yield manager
    manager.shutdown()


def configs(methods: str = "lora", **values: object) -> list[RunConfig]:
    shared = {"steps": 30, "interval": 10, "warmup": 0} | values
    return [parse_config({**shared, "method": method}) for method in methods.split(",")]


def until(true: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Look again and again until it is true."""
    end, tick = time.monotonic() + seconds, threading.Event()
    while not true():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        tick.wait(0.01)


def info(manager: RunManager, race: str, method: str = "lora") -> RunInfo:
    return RunReader(manager.runs / f"{race}-{method}").info()


def until_step(manager: RunManager, race: str, step: int) -> None:
    until(lambda: info(manager, race).last_step >= step, f"step {step}")


def test_a_race_that_is_submitted_is_trained_to_its_end(manager: RunManager) -> None:
    race = manager.submit(configs("triadaptlora,lora"), name="first")
    assert manager.wait(race, 30)
    assert {info(manager, race, method).state for method in ("triadaptlora", "lora")} == {"finished"}
    assert info(manager, race).name == "first" and manager.active() == []
    assert manager.status(f"{race}-lora") == {
        "state": "finished", "position": None, "speed": None, "eta": None, "message": "",
    }  # fmt: skip


def test_what_libraries_print_does_not_disturb_the_reports(manager: RunManager) -> None:
    race = manager.submit(configs(weight_decay=TROUBLE["prints"], steps=4))
    assert manager.wait(race, 30) and info(manager, race).state == "finished"


def test_races_wait_their_turn_at_visible_positions(manager: RunManager) -> None:
    first = manager.submit(configs(steps=FOREVER))
    second, third = manager.submit(configs()), manager.submit(configs())
    until_step(manager, first, 1)
    assert manager.active() == [first, second, third]
    assert [manager.status(f"{race}-lora")["position"] for race in manager.active()] == [0, 1, 2]
    assert manager.status(f"{third}-lora")["message"] == "waiting, 2 in the queue"
    assert manager.stop(third) and info(manager, third).state == "stopped"
    assert manager.stop(first)
    assert manager.wait(second, 30)
    assert (info(manager, first).state, info(manager, second).state) == ("stopped", "finished")


def test_a_killed_worker_leaves_a_readable_run_and_the_queue_goes_on(manager: RunManager) -> None:
    race = manager.submit(configs(weight_decay=TROUBLE["hangs at step 5"]))
    after = manager.submit(configs())
    until_step(manager, race, 4)
    os.kill(manager._worker.pid, signal.SIGKILL)
    assert manager.wait(after, 30)
    seen = info(manager, race)
    assert seen.state == "failed" and seen.error.startswith("worker process was killed (signal 9")
    events = [s.event for s in RunReader(manager.runs / seen.id).events()]
    assert [e.step for e in events if isinstance(e, Step)] == [0, 1, 2, 3, 4] and isinstance(events[-1], Failed)
    assert info(manager, after).state == "finished"


def test_a_killed_run_is_resumed_from_its_newest_checkpoint(manager: RunManager) -> None:
    race = manager.submit(configs(steps=FOREVER))
    until_step(manager, race, 25)
    os.kill(manager._worker.pid, signal.SIGKILL)
    assert manager.wait(race, 30)
    reached = info(manager, race).last_step
    assert manager.resume(race) == race
    until_step(manager, race, reached + 10)
    assert manager.stop(race) and manager.wait(race, 30)
    events = [s.event for s in RunReader(manager.runs / f"{race}-lora").events()]
    assert (steps := [e.step for e in events if isinstance(e, Step)]) == list(range(len(steps)))
    assert isinstance(events[-1], Stopped) and info(manager, race).generation == 1


def test_pause_step_event_step_and_unpause_act_on_the_race_that_runs(manager: RunManager) -> None:
    race = manager.submit(configs(steps=FOREVER, interval=500))
    until_step(manager, race, 1)
    assert manager.pause(race)
    until(lambda: info(manager, race).state == "paused", "pause")
    held = info(manager, race).last_step
    assert manager.status(f"{race}-lora")["eta"] is None
    assert manager.step(race)
    until(lambda: info(manager, race).last_step == held + 1 and info(manager, race).state == "paused", "one step")
    assert manager.step_event(race)
    until(lambda: info(manager, race).last_step > held + 1 and info(manager, race).state == "paused", "a rank event")
    last = [s.event for s in RunReader(manager.runs / f"{race}-lora").events() if isinstance(s.event, RankEvent | Step)]
    assert isinstance(last[-1], RankEvent) and last[-1].step % 500 == 0
    assert manager.unpause(race)
    until(lambda: info(manager, race).state == "running", "unpause")
    until(lambda: (manager.status(f"{race}-lora")["eta"] or 0) > 0, "an estimate")
    assert manager.stop(race) and manager.wait(race, 30)
    assert not manager.pause(race) and not manager.stop(race)


def test_the_app_closing_stops_the_race_with_a_checkpoint(tmp_path: Path) -> None:
    manager = RunManager(tmp_path, open_sessions=FAKE)
    race, waiting = manager.submit(configs(steps=FOREVER)), manager.submit(configs())
    until_step(manager, race, 3)
    manager.shutdown()
    events = [s.event for s in RunReader(tmp_path / f"{race}-lora").events()]
    assert isinstance(events[-1], Stopped) and events[-1].reason == "the app was closed"
    assert events[-2].kind == "checkpoint" and info(manager, waiting).state == "stopped"
    with pytest.raises(RunError, match="closing"):
        manager.submit(configs())


def test_the_death_of_the_app_stops_the_race_and_ends_the_worker(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from triadapt.config import parse_config
from triadapt.workers.manager import RunManager
manager = RunManager(Path(sys.argv[1]), open_sessions="fake_sessions:open_sessions")
print(manager.submit([parse_config({"method": "lora", "steps": 1000000})]), flush=True)
print(manager.submit([parse_config({"method": "lora", "steps": 1000000})]), flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as app:
        assert app.stdout is not None
        first, second = (RunReader(tmp_path / f"{app.stdout.readline().strip()}-lora") for _ in range(2))
        until(lambda: first.info().last_step > 3, "the race to run")
        owner = first.owner()
        app.kill()
    until(lambda: first.info().state == "stopped", "the race to stop")
    assert first.events()[-1].event == Stopped(first.info().last_step, "the app was closed")
    until(lambda: not is_alive(owner, time.time()), "the worker to end")
    assert second.info().state == "interrupted" and second.info().resumable


def test_a_worker_that_cannot_start_fails_what_waits_with_the_reason(tmp_path: Path) -> None:
    manager = RunManager(tmp_path, open_sessions="no_such_module:open_sessions")
    race = manager.submit(configs())
    assert manager.wait(race, 30)
    assert "No module named 'no_such_module'" in info(manager, race).error
    manager.shutdown()


def test_nothing_to_resume_is_said_in_one_line(manager: RunManager) -> None:
    race = manager.submit(configs())
    manager.wait(race, 30)
    with pytest.raises(RunError, match=f"nothing to resume: {race}-lora is finished"):
        manager.resume(race)
    with pytest.raises(RunError, match="is not the id"):
        manager.resume("../elsewhere")


def test_the_manager_knows_no_torch() -> None:
    code = "import sys, triadapt.workers.manager, triadapt.runs.bundle, triadapt.runs.export, triadapt.cli;"
    code += "bad = {'torch', 'transformers', 'peft', 'plotly', 'streamlit'} & set(sys.modules); assert not bad, bad"
    subprocess.run([sys.executable, "-c", code], check=True)
