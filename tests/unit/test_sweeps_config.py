"""What a study is told to try: fields, values, points, and what is wrong with them."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from triadapt import cli
from triadapt.config import ConfigError
from triadapt.sweeps.config import Range, SweepConfig, parse_sweep
from triadapt.sweeps.importance import importances
from triadapt.sweeps.record import StudyInfo, StudyRecord, TrialRecord
from triadapt.sweeps.sampling import new_points
from triadapt.sweeps.space import draw, plan, run_config
from triadapt.tasks.registry import TASKS

BASE = {"method": "triadaptlora", "steps": 200}


def config(**values: Any) -> SweepConfig:
    return parse_sweep({"base": BASE, **values})


BAD: dict[str, tuple[str, list[str]]] = {
    "nothing to try": ("", ["space: names no field; list values of at least one, such as warmup = [20, 60]"]),
    "an empty space": ("[space]", ["space: names no field"]),
    "a run's file": ("steps = 5\n[space]\nwarmup = [5]", ["steps: a field of a run; put it in [base] with one value"]),
    "an unknown field": ("[space]\nwarmpu = [5]", ["space.warmpu: unknown field; did you mean warmup? known: method,"]),
    "an unknown field of a method": (
        "[space]\nadalora.final_shar = [0.1]",
        ["space.adalora.final_shar: unknown field; did you mean adalora.final_share? known: adalora.init_rank_ratio,"],
    ),
    "an unknown field of the study": ("sampeler = 'tpe'\n[space]\nwarmup = [5]", ["sampeler: unknown field; did you"]),
    "an unknown field of the base": (
        "[base]\nwramup = 5\n[space]\ninterval = [5]",
        ["base.wramup: unknown field; did you mean warmup?"],
    ),
    "values that no run has": (
        "[space]\nwarmup = [5, 'ten', -1]\nmethod = ['lroa']\ngrowth = ['cubic']",
        [
            "space.warmup = 'ten': input should be a valid integer",
            "space.warmup = -1: input should be greater than or equal to 0",
            "space.method = 'lroa': unknown method; did you mean lora?",
            "space.growth = 'cubic': input should be 'linear', 'non-linear' or 'fixed'",
        ],
    ),
    "no list": ("[space]\nwarmup = 5", ["space.warmup = 5: must be a list of values, or a table of low and high"]),
    "no value": ("[space]\nwarmup = []", ["space.warmup = []: names no value; list at least one"]),
    "a value twice": ("[space]\nwarmup = [5, 5]", ["space.warmup: 5 is listed twice"]),
    "a table for a value": ("[space]\nwarmup = [{a = 1}]", ["space.warmup: {'a': 1} is not a value"]),
    "half a range": ("[space]\nwarmup = {low = 1}", ["space.warmup: a range needs low and high; high is missing"]),
    "no number": ("[space]\nwarmup = {low = 1, high = 'x'}", ["space.warmup.high = 'x': must be a number"]),
    "an empty range": ("[space]\nwarmup = {low = 9, high = 1}", ["space.warmup: low = 9 must be below high = 1"]),
    "logarithm of 0": ("[space]\nwarmup = {low = 0, high = 9, log = true}", ["space.warmup: low = 0 must be above 0"]),
    "a range of words": (
        "points = 2\nsampler = 'random'\n[space]\ngrowth = {low = 1, high = 2}",
        ["space.growth: is no number, so it has no range; list its values"],
    ),
    "parts of a step": (
        "points = 2\nsampler = 'random'\n[space]\nwarmup = {low = 1.5, high = 2}",
        ["space.warmup: takes whole numbers; low, high and step must be whole"],
    ),
    "a grid without values": (
        "[space]\nlearning_rate = {low = 0.001, high = 0.01}",
        ['space.learning_rate: a grid needs values; list them, or give step, or use sampler = "random" or "tpe"'],
    ),
    "tpe without points": ("sampler = 'tpe'\n[space]\nwarmup = [5]", ['points: missing; sampler = "tpe" needs to']),
    "a grid with points": ("points = 3\n[space]\nwarmup = [5]", ["points = 3: a grid has as many points as its"]),
    "more points than there are": (
        "points = 3\nsampler = 'random'\n[space]\nwarmup = [5, 6]",
        ["points = 3: the space has only 2 different points; lower it, or use sampler = \"grid\""],
    ),
    "seeds in the space": ("[space]\nseed = [1, 2]", ["space.seed: cannot be swept; list the seeds in `seeds`"]),
    "tasks in the space": ("[space]\ntask = ['text']", ["space.task: cannot be swept; values of the metric of two"]),
    "no seed": ("seeds = 0\n[space]\nwarmup = [5]", ["seeds = 0: must be how many (1 to 1000), or a list of seeds"]),
    "a seed twice": ("seeds = [1, 1]\n[space]\nwarmup = [5]", ["seeds: 1 is listed twice"]),
    "a seed below 0": ("seeds = [-1]\n[space]\nwarmup = [5]", ["seeds: -1 is not a seed"]),
    "no point can run": (
        "[base]\nsteps = 200\n[space]\nwarmup = [200, 300]\ninterval = [5, 10]",
        ["space: none of its 4 points can be run; the first, warmup = 200, interval = 5: warmup = 200: not below"],
    ),
    "no drawn point can run": (
        "points = 3\nsampler = 'random'\n[base]\nsteps = 9\n[space]\nwarmup = {low = 9, high = 20000}",
        ["space: none of 200 points drawn from it can be run; the first, warmup = "],
    ),
    "the base cannot run": (
        "[base]\nsteps = 200\nwarmup = 300\n[space]\ninterval = [5, 10]",
        ["base.warmup = 300: not below steps = 200, so no rank event can ever fire"],
    ),
    "some points cannot run": (
        "[base]\nsteps = 200\n[space]\nwarmup = [20, 200]\ninterval = [5]",
        ["warmup = 200, interval = 5: warmup = 200: not below steps = 200, so no rank event can ever fire; lower "
         "warmup or train longer; skip_invalid = true leaves such points out"],
    ),
    "fields that do not fit together": (
        "[space]\nplanted.heads = [3]\nplanted.width = [64, 128]",
        ["space: none of its 2 points can be run; the first, planted.heads = 3, planted.width = 64: planted.heads"],
    ),
    "a huge grid": (
        f"[space]\nwarmup = {list(range(200))}\ninterval = {list(range(1, 100))}",
        ["space: a grid of 19800 points; at most 10000 can be planned"],
    ),
    "a huge study": (
        f"seeds = 300\n[space]\nwarmup = {list(range(50))}",
        ["seeds: 50 points with 300 seeds each are 15000 trials; a study has at most 10000"],
    ),
    "stopping with three seeds": (
        "stop_when_clear = true\n[space]\nwarmup = [5, 6]",
        ["stop_when_clear = true: looks from 3 seeds a point on, so with seeds = 3 there is nothing to save"],
    ),
    "stopping and tpe": (
        "stop_when_clear = true\nseeds = 5\nsampler = 'tpe'\npoints = 3\n[space]\nwarmup = [5, 6, 7]",
        ['stop_when_clear = true: does not go with sampler = "tpe"'],
    ),
    "nowhere to run": ("on = 'moon'\n[space]\nwarmup = [5]", ["on = 'moon': input should be 'local' or 'ray'"]),
    "an unknown field of ray": ("[ray]\ncpu = 1\n[space]\nwarmup = [5]", ["ray.cpu: unknown field; did you mean"]),
    "no TOML": ("seeds =", ["study.toml: not valid TOML"]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "lines"), BAD.values(), ids=BAD.keys())
def test_bad_input_costs_a_line_a_wrong_field_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, text: str, lines: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.toml").write_text(text)
    assert cli.main(["sweep", "study.toml"]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and len(printed.err.splitlines()) == len(lines), printed.err
    for expected, line in zip(lines, printed.err.splitlines(), strict=True):
        assert line.startswith(f"triadapt: {expected}")
    assert [path.name for path in tmp_path.iterdir()] == ["study.toml"]


OPTIONS = {
    "no file": (["sweep"], "sweep needs CONFIG.toml, or --resume STUDY"),
    "a missing file": (["sweep", "nowhere.toml"], "nowhere.toml: cannot be read"),
    "both": (["sweep", "study.toml", "--resume", "x"], "--resume goes on with the study's own configuration"),
    "no id": (["sweep", "--resume", "../x"], "'../x' is not the id of a study"),
    "an unknown id": (["sweep", "--resume", "study-20260102-030405-abcd"], "there is no study"),
    "no id to show": (["studies", "x"], "'x' is not the id of a study"),
    "workers": (["sweep", "study.toml", "--workers", "many"], "workers = 'many': input should be a valid integer"),
    "where": (["sweep", "study.toml", "--on", "moon"], "on = 'moon': input should be 'local' or 'ray'"),
    "a field": (["sweep", "study.toml", "--set", "base.steps=x"], "base.steps = 'x': input should be a valid integer"),
}


@pytest.mark.parametrize(("arguments", "expected"), OPTIONS.values(), ids=OPTIONS.keys())
def test_wrong_options_cost_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str],
    expected: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.toml").write_text("[space]\nwarmup = [5, 6]")
    assert cli.main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line and [path.name for path in tmp_path.iterdir()] == ["study.toml"]


def test_points_that_no_run_can_be_made_of_are_named_and_left_out_where_that_is_asked_for() -> None:
    planned = plan(config(space={"warmup": [20, 200], "interval": [5, 10]}, skip_invalid=True))
    assert planned.points == ({"warmup": 20, "interval": 5}, {"warmup": 20, "interval": 10})
    (line,) = planned.left_out  # the reason is said once
    assert line.startswith("warmup = 200, interval = 5 and 1 more point: warmup = 200: not")


def test_a_point_has_the_fields_that_its_method_uses_and_no_two_are_equal() -> None:
    space = {
        "method": ["lora", "adalora", "increlora", "triadaptlora"], "warmup": [10, 20], "growth": ["linear", "fixed"],
        "top_h": [1, 2], "adalora.final_share": [0.1, 0.2],
    }  # fmt: skip
    points = plan(config(space=space)).points
    assert points is not None
    names = {str(point["method"]): set(point) for point in points}
    assert names["lora"] == {"method"} and names["adalora"] == {"method", "warmup", "adalora.final_share"}
    assert names["increlora"] == {"method", "warmup", "top_h"}
    assert [sum(p["method"] == m for p in points) for m in space["method"]] == [1, 4, 4, 6]


def test_a_configuration_reads_back_from_its_own_toml() -> None:
    space = {"adalora": {"final_share": [0.1, 0.2]}, "learning_rate": {"low": 1e-3, "high": 1e-2, "log": True}}
    written = config(space=space, seeds=[3, 1], sampler="tpe", points=4, name='a "name"', ray={"gpus": 0.5})
    assert parse_sweep(tomllib.loads(written.to_toml())) == written
    assert list(written.space) == ["adalora.final_share", "learning_rate"] and written.seed_list == (3, 1)
    assert config(base={"seed": 40}, space={"warmup": [1]}, seeds=3).seed_list == (40, 41, 42)


def test_a_run_of_a_point_is_the_base_with_its_values_and_a_seed() -> None:
    made = run_config(
        config(space={"adalora.beta1": [0.5]}), {"method": "adalora", "adalora.beta1": 0.5, "warmup": 9}, 3
    )
    assert (made.method, made.warmup, made.seed, made.steps, made.adalora.beta1) == ("adalora", 9, 3, 200, 0.5)


def test_a_range_has_the_values_that_its_step_says() -> None:
    assert Range(low=0.1, high=0.5, step=0.1).values() == (0.1, 0.2, 0.3, 0.4, 0.5)
    assert Range(low=1, high=10, step=4).values() == (1, 5, 9)
    assert Range(low=1, high=3).values() == (1, 2, 3) and Range(low=1.0, high=3.0).values() is None
    assert Range(low=1, high=10**12).values() is None


def test_drawn_points_lie_in_the_space_and_use_all_of_it() -> None:
    space = {
        "warmup": {"low": 10, "high": 100, "step": 30}, "interval": {"low": 2, "high": 64, "log": True},
        "learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}, "growth": ["linear", "fixed"],
    }  # fmt: skip
    sampled = config(space=space, sampler="random", points=5)
    chance = np.random.default_rng(0)
    points = [draw(sampled, chance) for _ in range(400)]
    assert {point["warmup"] for point in points} == {10, 40, 70, 100}
    assert {point["growth"] for point in points} == {"linear", "fixed"}
    assert all(type(point["interval"]) is int and 2 <= point["interval"] <= 64 for point in points)
    rates = np.array([point["learning_rate"] for point in points], float)
    assert 1e-4 <= rates.min() and rates.max() <= 1e-1 and 1.5e-3 < np.median(rates) < 6e-3


def complete(value: float) -> tuple[str, float | None]:
    return "complete", value


def far_ones_fail(value: float) -> tuple[str, float | None]:
    return ("complete", value) if value < 30 else ("failed", None)


def trials_of(sampled: SweepConfig, count: int, end: Callable[[float], tuple[str, float | None]]) -> list[TrialRecord]:
    """Trials as a study would make them one by one: the metric is the distance to a warm-up of 30."""
    trials: list[TrialRecord] = []
    for number in range(count):
        (point,) = new_points(sampled, trials, 1, higher_is_better=False)
        value = abs(float(point["warmup"]) - 30)
        trials.append(TrialRecord(number, point, 7, *end(value)))
    return trials


@pytest.mark.parametrize("end", [complete, far_ones_fail])
def test_tpe_looks_where_earlier_points_did_well_and_tries_none_twice(
    end: Callable[[float], tuple[str, float | None]],
) -> None:
    sampled = config(space={"warmup": {"low": 0, "high": 180}}, sampler="tpe", points=30)
    trials = trials_of(sampled, 30, end)
    assert len({trial.point["warmup"] for trial in trials}) == 30
    distances = [abs(float(trial.point["warmup"]) - 30) for trial in trials]
    assert np.mean(distances[20:]) < 0.5 * np.mean(distances[:10])
    assert [trial.point for trial in trials_of(sampled, 12, end)] == [trial.point for trial in trials[:12]]


@pytest.mark.parametrize("lost", ["failed", "pruned"])
def test_tpe_holds_a_seed_that_was_lost_against_its_point_however_well_the_others_did(lost: str) -> None:
    """Warm-ups above 90 seem far better, but every second seed of theirs comes to nothing."""
    sampled = config(space={"warmup": {"low": 0, "high": 180}}, sampler="tpe", points=30, seeds=2)
    trials: list[TrialRecord] = []
    for _ in range(30):
        (point,) = new_points(sampled, trials, 1, higher_is_better=False)
        warmup = float(point["warmup"])
        value, second = (-100.0, lost) if warmup > 90 else (warmup, "complete")
        trials.append(TrialRecord(len(trials), point, 7, "complete", value))
        kept = None if second == "failed" else value
        trials.append(TrialRecord(len(trials), point, 8, second, kept, intermediate=((5, value),)))
    later = [float(trial.point["warmup"]) for trial in trials[30::2]]
    assert np.mean([warmup <= 90 for warmup in later]) > 0.75


def test_a_point_whose_seeds_are_to_come_counts_for_tpe_by_those_that_are_there() -> None:
    sampled = config(space={"warmup": {"low": 0, "high": 180}}, sampler="tpe", points=30, seeds=2)
    trials: list[TrialRecord] = []
    for _ in range(30):
        (point,) = new_points(sampled, trials, 1, higher_is_better=False)
        value = abs(float(point["warmup"]) - 30)
        trials += [
            TrialRecord(len(trials), point, 7, "complete", value),
            TrialRecord(len(trials) + 1, point, 8, "running"),
        ]
    distances = [abs(float(trial.point["warmup"]) - 30) for trial in trials[::2]]
    assert np.mean(distances[20:]) < 0.5 * np.mean(distances[:10])


def test_a_small_space_is_sampled_to_its_last_valid_point() -> None:
    sampled = config(space={"warmup": [20, 40, 200], "interval": [5, 10]}, sampler="tpe", points=4)
    assert sorted(str(trial.point) for trial in trials_of(sampled, 4, complete)) == [
        "{'warmup': 20, 'interval': 10}", "{'warmup': 20, 'interval': 5}", "{'warmup': 40, 'interval': 10}",
        "{'warmup': 40, 'interval': 5}",
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="points = 5: the space has only 4 different points"):
        plan(config(space={"warmup": [20, 40, 200], "interval": [5, 10]}, sampler="tpe", points=5))


@pytest.mark.parametrize("name", TASKS)
def test_the_registry_knows_what_a_task_is_judged_by(name: str) -> None:
    spec = TASKS[name]
    module, _, attribute = spec.build.partition(":")
    task = getattr(__import__(module, fromlist=[attribute]), attribute)
    settings = spec.settings_class().model_construct()
    assert spec.measured(settings) == (spec.metric, spec.higher_is_better)
    assert task.higher_is_better == spec.higher_is_better and getattr(task, "metric", spec.metric) == spec.metric


def test_a_study_of_numbers_is_judged_by_their_correlation() -> None:
    settings = TASKS["files"].settings_class()(train="a.csv", kind="regression", metric="spearman")
    assert TASKS["files"].measured(settings) == ("spearman", True)


def judged(sampled: SweepConfig, metric: Callable[[dict[str, Any]], float]) -> StudyRecord:
    planned = plan(sampled).points
    assert planned is not None
    trials = [
        TrialRecord(2 * i + seed, point, seed, "complete", metric(point) + 0.001 * seed)
        for i, point in enumerate(planned)
        for seed in (0, 1)
    ]
    return StudyRecord(StudyInfo("study", points=len(planned)), sampled, tuple(trials))


def test_the_field_that_decides_is_the_most_important() -> None:
    space = {"warmup": [5, 10, 20, 30, 40], "interval": [2, 4, 6, 8, 10], "growth": ["linear"]}
    found = importances(judged(config(space=space), lambda point: abs(point["warmup"] - 20) + 0.01 * point["interval"]))
    assert list(found) == ["warmup", "interval"] and found["warmup"] > 0.8 and sum(found.values()) == pytest.approx(1)
    few = config(space={"warmup": [5, 10, 20], "interval": [2, 4, 6]})
    assert importances(judged(few, lambda point: point["warmup"])) == {}


def test_points_that_lost_a_seed_have_no_say_in_what_matters() -> None:
    space = {"warmup": [5, 10, 20, 30, 40], "interval": [2, 4, 6, 8, 10]}
    record = judged(config(space=space), lambda point: float(point["warmup"]))
    lucky = [
        replace(trial, value=-100.0) if trial.point["interval"] == 4 and trial.seed == 0
        else replace(trial, state="failed", value=None) if trial.point["interval"] == 4
        else trial
        for trial in record.trials
    ]  # fmt: skip
    without = [trial for trial in record.trials if trial.point["interval"] != 4]
    found = [importances(replace(record, trials=tuple(trials))) for trials in (lucky, without)]
    assert found[0] == found[1] and found[0]["warmup"] > 0.9
