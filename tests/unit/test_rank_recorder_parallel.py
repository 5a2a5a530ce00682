"""RankRecorder under `accelerate launch`: one run, of the main process, and a training that does not notice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from triadapt.events import RankEvent, Started, Step
from triadapt.runs.library import list_runs
from triadapt.runs.reader import RunReader

ROOT = Path(__file__).parents[2]
LAUNCH = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--main_process_port", "0"]
FIXED = ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]  # nothing is asked or guessed


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("launched")
    script = str(Path(__file__).with_name("launched_in_two.py"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(
        [sys.executable, *LAUNCH, *FIXED, script, str(folder)],
        env=environment, cwd=folder, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def found(folder: Path) -> list[dict[str, Any]]:
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


def test_exactly_one_run_is_there_and_the_main_process_wrote_it(folder: Path, found: list[dict[str, Any]]) -> None:
    (info,) = list_runs(folder / "runs")
    assert [process["recorded"]["folder"] for process in found] == [info.id, None]
    assert (info.state, info.method, info.steps, info.last_step) == ("finished", "adalora", 40, 39)


def test_its_events_are_what_both_processes_decided(folder: Path, found: list[dict[str, Any]]) -> None:
    (info,) = list_runs(folder / "runs")
    events = [stamped.event for stamped in RunReader(folder / "runs" / info.id).events()]
    ranks = [event for event in events if isinstance(event, RankEvent)]
    decided = found[0]["recorded"]["allocations"]
    assert found[1]["recorded"]["allocations"] == decided and len(decided) > 1
    assert [[e.step, e.threshold, e.ranks.tolist()] for e in ranks] == decided
    steps = [event for event in events if isinstance(event, Step)]
    assert [event.step for event in steps] == list(range(40)) and np.isfinite([event.loss for event in steps]).all()
    (started,) = [event for event in events if isinstance(event, Started)]
    assert started.config["batch_size"] == 16  # of both processes together


def test_the_training_is_the_one_it_would_have_been(found: list[dict[str, Any]]) -> None:
    assert len({process[how]["weights"] for process in found for how in ("recorded", "alone")}) == 1
    assert found[0]["recorded"]["allocations"] == found[0]["alone"]["allocations"]


def test_growth_is_refused_with_and_without_it_in_the_same_words(found: list[dict[str, Any]]) -> None:
    for process in found:
        with_it, without = process["refused"]
        assert with_it == without and with_it.startswith("DistributedDataParallel: its gradient buckets")


def test_an_adapter_that_nothing_grows_trains_on_and_the_main_process_says_so(found: list[dict[str, Any]]) -> None:
    first, second = (process["recorder alone"] for process in found)
    assert first["steps"] == second["steps"] == 3 and second["said"] == []
    (line,) = first["said"]
    assert "nothing grows TriAdaptLoRA here" in line
