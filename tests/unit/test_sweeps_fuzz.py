"""Whatever stands in a study's file, it is a study or one line a wrong field."""

from __future__ import annotations

import copy
import datetime
import sqlite3
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from triadapt import cli
from triadapt.config import ConfigError
from triadapt.sweeps import space
from triadapt.sweeps.config import parse_sweep
from triadapt.sweeps.library import new_study
from triadapt.sweeps.record import StudyError, read_study
from triadapt.sweeps.sampling import new_points
from triadapt.sweeps.space import plan
from triadapt.sweeps.study import StudyTrials

GRID: dict[str, Any] = {
    "name": "a study", "seeds": 3, "skip_invalid": True, "prune": True, "workers": 2,
    "base": {"method": "adalora", "steps": 200, "seed": 3, "planted": {"blocks": 2}, "adalora": {"final_share": 0.2}},
    "space": {"warmup": [10, 20], "interval": {"low": 5, "high": 15, "step": 5}, "adalora": {"beta1": [0.5, 0.9]}},
    "ray": {"cpus": 1},
}  # fmt: skip
SAMPLED: dict[str, Any] = {
    "sampler": "tpe", "points": 3, "seeds": [1, 2], "base": {"steps": 200},
    "space": {"learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}, "warmup": {"low": 0, "high": 50},
              "method": ["lora", "increlora"], "planted.noise": {"low": 0.0, "high": 1.0}, "threads": [1, 2]},
}  # fmt: skip

NUMBERS = st.one_of(
    st.integers(-3, 60),
    st.sampled_from([0, 2**31 - 1, 2**31, 2**63 - 1, -(2**63), 1e-300, 5e-324, 1e308, -1e308]),
    st.floats(),
)
WORDS = st.one_of(
    st.sampled_from(["warmup", "method", "lora", "adalora", "planted", "seed", "task", "text", "files", "files.train",
                     "low", "high", "step", "log", "space", "base", "learning_rate", "a.b", "", ".", "linear", "tpe"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
)  # fmt: skip
LEAVES = st.one_of(NUMBERS, st.booleans(), WORDS, st.just(datetime.date(2026, 1, 2)), st.just(datetime.time(7)))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3)
    | st.fixed_dictionaries({"low": NUMBERS, "high": NUMBERS}, optional={"step": NUMBERS, "log": st.booleans()}),
    max_leaves=5,
)  # fmt: skip


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(place for name, value in inside for place in places(value, (*path, name)))]


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """A good study with up to three values replaced, added or taken away anywhere."""
    data: Any = {"": copy.deepcopy(draw(st.sampled_from([GRID, SAMPLED])))}
    for _ in range(draw(st.integers(1, 3))):
        *above, name = ("", *draw(st.sampled_from(places(data[""]))))
        target = data
        for part in above:
            target = target[part]
        match draw(st.sampled_from(["replace", "add", "take away"])):
            case "add" if isinstance(target[name], dict):
                target[name][draw(WORDS)] = draw(VALUES)
            case "add" if isinstance(target[name], list):
                target[name].append(draw(VALUES))
            case "take away" if above:
                del target[name]
            case _ if above:
                target[name] = draw(VALUES)
            case _:
                pass
    return dict(data[""])


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(mutated())
def test_a_mutated_study_is_a_study_or_one_line_a_wrong_field(data: dict[str, Any]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(space, "MOST_POINTS", 60)
        patch.setattr(space, "DRAWS", 10)
        try:
            config = parse_sweep(data)
            planned = plan(config)
            read = parse_sweep(tomllib.loads(config.to_toml()))
        except ConfigError as error:
            assert error.lines and all(line and "\n" not in line for line in error.lines)
            return
        assert read == config and plan(read) == planned
        if planned.points is None:
            assert len(new_points(config, [], 1, higher_is_better=False)) == 1


TEXTS = {
    "a number of 128 bits": ("[space]\nwarmup = [0x" + "f" * 32 + "]", "not valid TOML: a whole number of 128 bits"),
    "a number without end": ("[base]\nsteps = " + "9" * 5000, "not valid TOML: "),
    "a deep hole": ("a = " + "[" * 5000, "not valid TOML: nested too deeply"),
    "a name of two lines": ('"war\\nmup" = 1\n[space]\nwarmup = [1]', "war\\nmup: unknown field"),
    "a section that is a value": (
        "[base]\nadalora = 5\n[space]\nadalora.beta1 = [0.5]",
        "base.adalora = 5: is a value, not a section with adalora.beta1",
    ),
    "a tiny step": (
        "[space]\nplanted.noise = {low = 0.0, high = 1.0, step = 1e-320}",
        "space.planted.noise: step = 1e-320 makes more than 10000 values; raise it, or leave it out",
    ),
    "a small step": (
        "[space]\nwarmup = {low = 0, high = 1000000, step = 1}",
        "space.warmup: step = 1 makes more than 10000 values",
    ),
    "many whole numbers": ("[space]\nwarmup = {low = 0, high = 1000000}", "space.warmup: so many whole numbers"),
    "ends out of sight": (
        "points = 1\nsampler = 'random'\n[space]\nmax_grad_norm = {low = -1e308, high = 1e308}",
        "space.max_grad_norm: low = -1e+308 and high = 1e+308 are too far apart",
    ),
    "no seed in the base": ("[base]\nseed = 'x'\n[space]\nwarmup = [5]", "base.seed = 'x': must be a whole number"),
    "seeds beyond the last": (
        "[base]\nseed = 2147483647\n[space]\nwarmup = [5]", "seeds = 3: from base.seed = 2147483647 on they go beyond"
    ),
    "a date under a swept field": (
        "[base]\nwarmup = 2026-01-02\n[space]\nwarmup = [5]", "base.warmup = datetime.date(2026, 1, 2): must be a"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS.keys())
def test_what_no_study_can_be_made_of_costs_one_line(
    text: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.toml").write_text(text)
    assert cli.main(["sweep", "study.toml"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line and [path.name for path in tmp_path.iterdir()] == ["study.toml"]


def test_steps_of_real_numbers_are_kept_though_they_are_none_in_binary() -> None:
    values = {"low": 0, "high": 0.7, "step": 0.1}
    config = parse_sweep({"sampler": "tpe", "points": 8, "space": {"planted.noise": values}})
    points = new_points(config, [], 8, higher_is_better=False)
    assert sorted(float(point["planted.noise"]) for point in points) == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]


def test_trials_that_nobody_can_read_are_one_line_and_read_again_once_they_can(tmp_path: Path) -> None:
    folder = new_study(tmp_path, parse_sweep({"base": {"steps": 30}, "space": {"warmup": [2, 4]}}))
    good = (folder / "study.db").read_bytes()
    with sqlite3.connect(folder / "study.db") as file:
        file.execute("insert into trials (trial_id, number, study_id, state) values (1, 0, 1, 'WAITING')")
    file.close()
    assert_refused(folder)
    with pytest.raises(StudyError, match=r"study-\S+: its trials cannot be read \("):
        StudyTrials(folder)
    (folder / "study.db").write_bytes(b"no database at all" * 100)
    assert_refused(folder)
    (folder / "study.db").write_bytes(good)
    assert read_study(folder).trials == ()


def assert_refused(folder: Path) -> None:
    with pytest.raises(StudyError, match=r"study-\S+: study\.db cannot be read \(.*\)") as error:
        read_study(folder)
    assert "\n" not in str(error.value)
