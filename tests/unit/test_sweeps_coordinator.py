"""The coordinator of a study over a backend without processes."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from inline_backend import InlineBackend
from sweep_sessions import NAN, RAISES

from triadapt.config import ConfigError
from triadapt.events import Stopped
from triadapt.runs.library import list_runs
from triadapt.runs.reader import RunReader
from triadapt.sweeps import coordinator as module
from triadapt.sweeps import library, local
from triadapt.sweeps.backends import open_backend
from triadapt.sweeps.config import parse_sweep
from triadapt.sweeps.coordinator import Coordinator
from triadapt.sweeps.library import change_study, new_study
from triadapt.sweeps.record import StudyError, StudyRecord, TrialRecord, read_study
from triadapt.sweeps.space import key
from triadapt.sweeps.state import give_order, read_config, read_info, sole_coordinator, write_config
from triadapt.sweeps.study import StudyTrials
from triadapt.views.sweep.recommendation import recommend
from triadapt.workers.sessions import OPEN_SESSIONS

BASE = {"method": "triadaptlora", "steps": 30, "warmup": 2, "interval": 5}
GRID = {"warmup": [2, 4], "interval": [5, 10]}


def study(runs: Path, **values: Any) -> Path:
    return new_study(runs, parse_sweep({"base": BASE, "space": GRID, "seeds": 2, **values}))


def run(folder: Path, backend: InlineBackend | None = None, **values: Any) -> StudyRecord:
    Coordinator(folder, backend=backend or InlineBackend(), **values).run()
    return read_study(folder)


def states(record: StudyRecord) -> dict[str, int]:
    return dict(Counter(trial.state for trial in record.trials))


def keys(record: StudyRecord) -> list[tuple[str, int]]:
    return [(key(trial.point), trial.seed) for trial in record.trials]


def only(record: StudyRecord, **point: Any) -> list[TrialRecord]:
    return [trial for trial in record.trials if point.items() <= trial.point.items()]


def test_every_point_is_run_with_every_seed_and_each_trial_is_an_ordinary_run(tmp_path: Path) -> None:
    folder = study(tmp_path)
    assert read_info(folder).state == "queued" and read_study(folder).trials == ()
    record = run(folder)
    assert record.info.state == "finished" and states(record) == {"complete": 8}
    assert len(set(keys(record))) == 8 and [trial.seed for trial in record.trials] == [7] * 4 + [8] * 4
    assert (record.info.points, record.info.trials, record.info.counts) == (4, 8, {"complete": 8})
    runs = {info.id: info for info in list_runs(tmp_path)}
    assert set(runs) == {trial.run for trial in record.trials}
    for trial in record.trials:
        info = runs[trial.run]
        assert (info.state, info.metric_value, info.last_step + 1) == ("finished", trial.value, trial.steps)
        assert (info.study, info.lineage["trial"], info.config["seed"]) == (folder.name, trial.number, trial.seed)
        assert {name: info.config[name] for name in GRID} == trial.point
        assert trial.intermediate[0] == (0, 1 - (1 - trial.intermediate[-1][1]) / 30) or len(trial.intermediate) > 2
        assert trial.parameters == 64 and trial.attempts == 1 and trial.total_steps == 30


def test_a_trial_that_fails_and_one_that_comes_to_no_number_are_kept_and_the_study_goes_on(tmp_path: Path) -> None:
    folder = study(tmp_path, space={"weight_decay": [0.0, RAISES, NAN], "warmup": [2, 4]}, seeds=1)
    record = run(folder)
    assert record.info.state == "finished" and states(record) == {"complete": 2, "failed": 4}
    assert {trial.error for trial in only(record, weight_decay=RAISES)} == {"ValueError: loss is not a number"}
    for trial in only(record, weight_decay=NAN):
        assert trial.error.startswith("diverged: relative loss is nan after") and trial.value is None
        assert any(math.isnan(value) for _, value in trial.intermediate)
    again = run(folder)
    assert again.trials == record.trials, "what failed is not tried again"


def test_a_trial_below_the_median_of_its_seed_is_pruned_and_the_rest_is_not(tmp_path: Path) -> None:
    space = {"warmup": [4, 5, 6, 7, 8, 40], "interval": [5]}
    folder = study(tmp_path, base={**BASE, "steps": 60}, space=space, seeds=2, prune=True)
    record = run(folder, InlineBackend(slots=1))
    assert states(record) == {"complete": 10, "pruned": 2}
    for trial in only(record, warmup=40):
        assert trial.state == "pruned" and 20 <= trial.steps < 60 and trial.value == trial.intermediate[-1][1]
        events = RunReader(tmp_path / trial.run).events()
        reason = f"pruned: below the median of the trials with seed {trial.seed}"
        assert isinstance(events[-1].event, Stopped) and events[-1].event.reason == reason
    assert recommend(record).left_out == 1


def test_a_study_that_is_paused_trains_nothing_and_goes_on_from_checkpoints(tmp_path: Path) -> None:
    folder = study(tmp_path, base={**BASE, "steps": 100}, space={"interval": [10]}, seeds=3)
    seen: list[str] = []

    def on_change(record: StudyRecord) -> None:
        if "pause" not in seen and any(trial.intermediate for trial in record.trials):
            give_order(folder, "pause")
            seen.append("pause")
        if record.info.state == "paused":
            assert not any(info.state == "running" for info in list_runs(tmp_path))
            give_order(folder, "go")
        seen.append(record.info.state)

    backend = InlineBackend()
    record = run(folder, backend, on_change=on_change)
    assert "paused" in seen and states(record) == {"complete": 3} and record.info.state == "finished"
    assert [resume for _, resume in backend.started].count(True) == 2
    steps = [e.event.step for e in RunReader(tmp_path / record.trials[0].run).events() if e.event.kind == "step"]
    assert steps == list(range(100))


def test_a_study_that_is_stopped_keeps_its_place_and_is_resumed(tmp_path: Path) -> None:
    folder = study(tmp_path, base={**BASE, "steps": 60})

    def stop(record: StudyRecord) -> None:
        running = any(trial.state == "running" and trial.intermediate for trial in record.trials)
        if running and record.info.counts.get("complete", 0) >= 2:
            give_order(folder, "stop")

    stopped = run(folder, on_change=stop)
    assert (stopped.info.state, stopped.info.message) == ("stopped", "stopped by the user")
    assert states(stopped)["interrupted"] > 0 and stopped.info.resumable
    record = run(folder)
    assert states(record) == {"complete": 8} and len(set(keys(record))) == 8
    assert [t.run for t in record.trials if t.run] == list(dict.fromkeys(t.run for t in record.trials))
    assert len(list_runs(tmp_path)) == 8


def test_points_and_seeds_are_added_to_a_finished_study_and_only_these_are_run(tmp_path: Path) -> None:
    folder = study(tmp_path, seeds=1)
    first = run(folder)
    values = read_config(folder).as_dict()
    change_study(folder, parse_sweep({**values, "seeds": 2, "space": {"warmup": [2, 4, 8], "interval": [5, 10]}}))
    assert (read_info(folder).state, read_info(folder).trials) == ("queued", 12)
    backend = InlineBackend()
    record = run(folder, backend)
    assert states(record) == {"complete": 12} and len(set(keys(record))) == 12
    assert record.trials[:4] == first.trials and len(backend.started) == 8
    assert len(only(record, warmup=8)) == 4


def test_a_study_that_runs_takes_up_added_seeds(tmp_path: Path) -> None:
    folder = study(tmp_path, seeds=1)

    def add(record: StudyRecord) -> None:
        if record.info.trials == 4 and record.info.counts.get("complete"):
            change_study(folder, parse_sweep({**read_config(folder).as_dict(), "seeds": 3}))

    assert states(run(folder, on_change=add)) == {"complete": 12}


def test_a_change_that_comes_as_the_study_ends_is_not_lost(tmp_path: Path) -> None:
    folder = study(tmp_path, seeds=1)
    seen: list[str] = []

    def add(record: StudyRecord) -> None:
        if record.info.state == "finished" and not seen:
            seen.append(record.info.state)  # as `change_study` does that saw it run a moment before
            write_config(folder, parse_sweep({**read_config(folder).as_dict(), "seeds": 2}))

    record = run(folder, on_change=add)
    assert seen and record.info.state == "finished" and states(record) == {"complete": 8}


def test_a_change_that_cannot_be_written_whole_leaves_the_study_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = study(tmp_path, seeds=1)
    run(folder)
    before = {name: (folder / name).read_bytes() for name in ("sweep.toml", "state.json")}
    more = parse_sweep({**read_config(folder).as_dict(), "seeds": 2})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(library, "write_info", full)
        with pytest.raises(OSError, match="No space left"):
            change_study(folder, more)
    assert {name: (folder / name).read_bytes() for name in before} == before
    # Held, and not running: a coordinator that starts, or one that will not end.
    monkeypatch.setattr(library, "ENDING_SECONDS", 0.01)
    with sole_coordinator(folder), pytest.raises(StudyError, match="its coordinator is starting or ending"):
        change_study(folder, more)
    assert {name: (folder / name).read_bytes() for name in before} == before


def test_two_changes_at_a_time_wait_for_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = study(tmp_path, seeds=1)
    monkeypatch.setattr(library, "ENDING_SECONDS", 0.01)
    more = parse_sweep({**read_config(folder).as_dict(), "seeds": 2})
    with FileLock(folder / library.CHANGE_LOCK_FILE), pytest.raises(StudyError, match="is being changed by somebody"):
        change_study(folder, more)
    assert read_config(folder).seeds == 1


def test_a_study_may_sweep_what_its_task_requires(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.csv", "b.csv")]
    for i, file in enumerate(files):
        file.write_text("text,label\n" + "".join(f"row {i} {n},{n % 2}\n" for n in range(200)))
    config = parse_sweep({
        "base": {**BASE, "task": "files"}, "seeds": 1, "space": {"files.train": [str(file) for file in files]},
    })  # fmt: skip
    assert open_backend(config, OPEN_SESSIONS).free() >= 1
    folder = new_study(tmp_path / "runs", config)
    record = run(folder)
    assert [trial.point["files.train"] for trial in record.trials] == [str(file) for file in files]


def test_as_many_workers_as_the_threads_of_the_study_leave_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "cores", lambda: 8)

    def workers(base: dict[str, Any], **space: Any) -> int:
        return local.default_workers(parse_sweep({"base": {**BASE, **base}, "space": space or GRID}))

    assert workers({}) == 8 and workers({"threads": 3}) == 2 and workers({"task": "text", "threads": 8}) == 1
    assert workers({}, threads=[1, 4]) == 2 and workers({}, threads={"low": 1, "high": 16}) == 1


FORBIDDEN: dict[str, tuple[dict[str, Any], str]] = {
    "base": ({"base": {**BASE, "steps": 31}}, "base.steps = 31: a study keeps its base (30)"),
    "a value less": ({"space": {"warmup": [2], "interval": [5, 10]}}, "space.warmup: 4 was planned already"),
    "another field": ({"space": {"warmup": [2, 4]}}, "space: a study keeps the fields it sweeps (warmup, interval)"),
    "a seed less": ({"seeds": [8]}, "seeds: 7 was planned already"),
    "another sampler": ({"sampler": "random", "points": 3}, 'sampler = "random": a study keeps its sampler ("grid")'),
}


@pytest.mark.parametrize(("values", "line"), FORBIDDEN.values(), ids=FORBIDDEN.keys())
def test_what_was_tried_cannot_be_changed(tmp_path: Path, values: dict[str, Any], line: str) -> None:
    folder = study(tmp_path)
    before = (folder / "sweep.toml").read_bytes()
    with pytest.raises(ConfigError) as error:
        change_study(folder, parse_sweep({**read_config(folder).as_dict(), **values}))
    assert error.value.lines[0].startswith(line) and (folder / "sweep.toml").read_bytes() == before


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_sampler_tries_as_many_different_points_as_asked_and_more_later(tmp_path: Path, sampler: str) -> None:
    space = {"warmup": {"low": 0, "high": 25}, "learning_rate": {"low": 1e-3, "high": 1e-1, "log": True}}
    folder = study(tmp_path, space=space, sampler=sampler, points=6, seeds=2)
    record = run(folder)
    assert states(record) == {"complete": 12} and len({point for point, _ in keys(record)}) == 6
    for trial in record.trials:
        warmup, rate = trial.point["warmup"], trial.point["learning_rate"]
        assert isinstance(warmup, int) and 0 <= warmup <= 25
        assert isinstance(rate, float) and 1e-3 <= rate <= 1e-1
    change_study(folder, parse_sweep({**read_config(folder).as_dict(), "points": 8}))
    record = run(folder)
    assert states(record) == {"complete": 16} and len({point for point, _ in keys(record)}) == 8


def test_points_that_differ_in_what_a_method_does_not_use_are_one(tmp_path: Path) -> None:
    folder = study(tmp_path, space={"method": ["triadaptlora", "lora"], **GRID}, seeds=1)
    record = run(folder)
    assert states(record) == {"complete": 5}
    assert [trial.point for trial in only(record, method="lora")] == [{"method": "lora"}]


def test_a_lost_run_is_tried_again_and_given_up_after_three_attempts(tmp_path: Path) -> None:
    folder = study(tmp_path, space={"warmup": [4]}, seeds=1)
    backend = InlineBackend()
    backend.lose = ["*"]
    (trial,) = run(folder, backend).trials
    assert (trial.state, trial.attempts, len(backend.started)) == ("complete", 2, 2)
    backend = InlineBackend()
    backend.lose = ["*"] * 3
    (trial,) = run(study(tmp_path, space={"warmup": [4]}, seeds=1), backend).trials
    assert (trial.state, trial.error) == ("failed", "given up after 3 attempts: its machine caught fire")
    assert len(backend.started) == 3


def test_a_run_that_is_judged_by_another_metric_fails_its_trial(tmp_path: Path) -> None:
    folder = study(tmp_path, base={**BASE, "task": "text"}, space={"warmup": [4]}, seeds=1)
    (trial,) = run(folder).trials
    assert trial.error == "the run is judged by relative loss (lower is better), the study by accuracy"


def test_a_study_ends_early_once_a_point_is_clearly_the_best(tmp_path: Path) -> None:
    folder = study(tmp_path, space={"warmup": [4, 24]}, seeds=8, stop_when_clear=True)
    record = run(folder)
    assert (record.info.state, record.info.message) == ("finished", "ended early: one point is clearly the best")
    seeds = max(trial.seed for trial in record.trials if trial.state == "complete") - 6
    assert 3 <= seeds < 8
    found = recommend(record)
    assert found.clear and found.best is not None and found.best.point == {"warmup": 4}


def test_a_study_has_one_coordinator(tmp_path: Path) -> None:
    folder = study(tmp_path)

    def another(record: StudyRecord) -> None:
        with pytest.raises(StudyError, match="has a coordinator already"):
            Coordinator(folder, backend=InlineBackend()).run()

    assert states(run(folder, on_change=another)) == {"complete": 8}


class Killed(BaseException):
    """The process is gone: nothing after it is written."""


def test_killed_before_any_of_its_writes_a_study_goes_on_and_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[str] = []
    deadly = [0]

    def dying(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def method(*arguments: Any, **values: Any) -> Any:
            writes.append(name)
            if deadly[0] and len(writes) >= deadly[0]:
                raise Killed
            return original(*arguments, **values)

        return method

    for name in ("add", "begin", "note", "report", "complete"):
        monkeypatch.setattr(StudyTrials, name, dying(name, getattr(StudyTrials, name)))
    for name in ("write_info", "make_run"):
        monkeypatch.setattr(module, name, dying(name, getattr(module, name)))
    new = study(tmp_path / "new", space={"warmup": [2, 4]}, seeds=1)
    shutil.copytree(tmp_path / "new", tmp_path / "clean")
    clean = run(tmp_path / "clean" / "studies" / new.name)
    # Where another kind of write begins, and of the many alike one in a while.
    moments = [i + 1 for i in range(1, len(writes)) if writes[i] != writes[i - 1] or i % 11 == 0]
    assert {writes[moment - 1] for moment in moments} == set(writes)
    for moment in moments[::2]:
        runs = tmp_path / str(moment)
        shutil.copytree(tmp_path / "new", runs)
        folder = runs / "studies" / new.name
        writes.clear()
        deadly[0] = moment
        with pytest.raises(Killed):
            run(folder)
        deadly[0] = 0
        killed = read_study(folder)
        for trial in killed.trials:
            if trial.run and not (runs / trial.run).exists():  # killed over the making of it
                half = runs / f".new-{trial.run.removesuffix('-triadaptlora')}" / trial.run
                half.mkdir(parents=True)
                (half / "run.db").touch()
        record = run(folder)
        assert states(record) == {"complete": 2} and len(set(keys(record))) == 2, moment
        assert [t.value for t in record.trials] == [t.value for t in clean.trials], moment
        assert all(trial in record.trials for trial in killed.trials if trial.ended), moment
        assert len(list_runs(runs)) == 2, moment
