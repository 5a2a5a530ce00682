"""The tables of a study for a document: differences are paired by seed, and only where all seeds are there."""

from dataclasses import replace

import pytest
from made_up_study import made_up_study

from benchmarks.study_tables import differences, effects, points
from triadapt.sweeps.record import Point, StudyRecord

SPACE: dict[str, object] = {"method": ["triadaptlora", "increlora"], "warmup": [20, 60]}


def valued(study: StudyRecord) -> StudyRecord:
    """All trials complete; IncreLoRA is 0.5 lower, a warm-up of 60 higher by the seed's number, and seeds differ."""

    def value(point: Point, seed: int) -> float:
        return 10.0 * seed - 0.5 * (point["method"] == "increlora") + seed * (point["warmup"] == 60)

    trials = [replace(trial, state="complete", value=value(trial.point, trial.seed)) for trial in study.trials]
    return replace(study, trials=tuple(trials))


def test_what_makes_a_seed_hard_falls_out_of_a_difference() -> None:
    study = valued(made_up_study(SPACE))
    seeds = [7, 8, 9]
    assert differences(study, "method", "increlora", "triadaptlora", {}) == pytest.approx([-0.5] * 3)
    assert differences(study, "warmup", 60, 20, {"method": "increlora"}) == pytest.approx(seeds)


def test_a_seed_that_one_point_lacks_is_compared_nowhere() -> None:
    study = valued(made_up_study(SPACE))
    gone = next(trial.number for trial in study.trials if trial.seed == 8 and trial.point["warmup"] == 60)
    left = [replace(t, state="failed", value=None) if t.number == gone else t for t in study.trials]
    study = replace(study, trials=tuple(left))
    assert differences(study, "warmup", 60, 20, {"method": "triadaptlora"}) == pytest.approx([7, 9])
    assert differences(study, "method", "increlora", "triadaptlora", {"warmup": 20}) == pytest.approx([-0.5] * 3)
    assert differences(study, "warmup", 99, 20, {}) == []


def test_every_point_and_every_comparison_has_a_row() -> None:
    study = valued(made_up_study(SPACE))
    assert [row[:3] for row in points(study).rows] == [
        ("IncreLoRA", "20", "79.500"), ("TriAdaptLoRA", "20", "80.000"),
        ("IncreLoRA", "60", "87.500"), ("TriAdaptLoRA", "60", "88.000"),
    ]  # fmt: skip
    assert effects(study).rows == [
        ("IncreLoRA less TriAdaptLoRA", "all", "-0.500", 3),
        ("IncreLoRA less TriAdaptLoRA", "warmup = 20", "-0.500", 3),
        ("IncreLoRA less TriAdaptLoRA", "warmup = 60", "-0.500", 3),
        ("warmup = 60 less warmup = 20", "TriAdaptLoRA", "+8.000 [+5.516, +10.484]", 3),
        ("warmup = 60 less warmup = 20", "IncreLoRA", "+8.000 [+5.516, +10.484]", 3),
    ]
