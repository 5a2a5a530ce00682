"""The lessons' races and their recordings: what a lesson says happened did happen, by the numbers of the recording."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from triadapt.config import ConfigError, RunConfig
from triadapt.events import Evaluation, RankEvent, Started
from triadapt.lessons.races import RACES, is_race_of, race_configs, race_labels
from triadapt.lessons.recordings import ASKED, CHANGE_FILE, FOLDER, recorded_lesson
from triadapt.lessons.registry import LESSONS, PARTS, mark
from triadapt.lessons.wrong import PRESETS
from triadapt.runs.bundle import BundleRun
from triadapt.views.frames import unpack
from triadapt.views.lessons.message import learn_message

BUDGET = 24


def metrics(run: BundleRun) -> list[float]:
    return [row.event.metrics["relative loss"] for row in run.events() if isinstance(row.event, Evaluation)]


def decisions(run: BundleRun) -> list[RankEvent]:
    return [row.event for row in run.events() if isinstance(row.event, RankEvent)]


def planted(run: BundleRun) -> Any:
    (started,) = [row.event for row in run.events() if isinstance(row.event, Started)]
    return np.array([matrix.planted_rank for matrix in started.matrices])


def test_every_lesson_is_drawn_by_a_module_and_has_a_mark_of_its_own() -> None:
    scripts = FOLDER.parents[1] / "ui" / "learn" / "lessons"
    assert {lesson.script for lesson in LESSONS.values()} == {path.stem for path in scripts.glob("*.js")}
    assert {lesson.part for lesson in LESSONS.values()} == set(PARTS)
    assert len({mark(lesson) for lesson in LESSONS.values()}) == len(LESSONS)
    assert set(PRESETS) == {lesson.slug for lesson in LESSONS.values() if lesson.part == "wrong"}


@pytest.mark.parametrize("slug", ASKED)
def test_a_recording_is_of_the_race_that_the_lesson_would_train(slug: str) -> None:
    runs = recorded_lesson(slug)
    assert [run.ended for run in runs] == ["finished"] * len(race_labels(slug))
    assert [RunConfig.model_validate(run.info().config) for run in runs] == race_configs(slug, ASKED[slug])


def test_rank_where_it_is_needed_beats_rank_everywhere() -> None:
    even, oracle, tri = recorded_lesson("one-rank")
    assert metrics(oracle)[-1] < 0.02 < 0.3 < metrics(even)[-1]
    assert metrics(tri)[-1] < metrics(even)[-1]
    where = decisions(oracle)[-1].ranks
    assert where.sum() == BUDGET and not where[planted(oracle) == 0].any()


def test_both_meet_at_the_budget() -> None:
    for run in recorded_lesson("prune-or-grow"):
        assert decisions(run)[-1].total_rank == BUDGET
    prunes, *grow = (decisions(run) for run in recorded_lesson("prune-or-grow"))
    assert prunes[0].before.sum() > BUDGET > max(grows[0].before.sum() for grows in grow)


def test_full_training_changes_few_directions_where_it_is_needed_and_little_elsewhere() -> None:
    change = load_file(FOLDER / CHANGE_FILE)
    sigma = np.linalg.svd(change["planted"].astype(np.float64))[1]
    assert np.sum(sigma[:8] ** 2) > 0.99 * np.sum(sigma**2) > np.sum(sigma[:7] ** 2) and sigma[7] > 5 * sigma[8]
    least = np.sort(change["norms"])
    assert least[8] < 0.1 * least[9]  # nine of twelve hardly moved
    assert change["metric"][0] < 0.001


class TestPresets:
    """Symptoms and repairs."""

    def test_a_warmup_that_is_too_long(self) -> None:
        found, repaired = recorded_lesson("wrong-warmup")
        assert [event.step for event in decisions(found)] == [280, 290]
        assert decisions(found)[-1].total_rank < BUDGET == decisions(repaired)[-1].total_rank
        assert decisions(repaired)[0].step == 40 and metrics(repaired)[-1] < metrics(found)[-1]

    def test_an_interval_beyond_the_end(self) -> None:
        found, repaired = recorded_lesson("wrong-interval")
        assert not decisions(found) and [event.step for event in decisions(repaired)][:3] == [40, 50, 60]

    def test_a_start_that_cannot_learn(self) -> None:
        found, repaired = recorded_lesson("wrong-start")
        assert len(set(metrics(found))) == 1 and metrics(repaired)[-1] < 0.5
        assert {tuple(event.chosen) for event in decisions(found)} == {(0,)}
        assert decisions(found)[-1].ranks.tolist() == [13] + [1] * 11
        assert not any(np.any(event.scores) for event in decisions(found))

    def test_ties_at_the_first_event(self) -> None:
        found, repaired = recorded_lesson("wrong-ties")
        (first,) = decisions(found)
        assert (first.step, first.allowed, first.threshold, len(first.chosen)) == (1, 1, 0.0, 12)
        assert (first.before.sum(), first.total_rank) == (12, 36) and decisions(repaired)[-1].total_rank == BUDGET

    def test_a_scale_by_the_current_rank(self) -> None:
        found, repaired = recorded_lesson("wrong-scale")
        (event,) = decisions(found)
        assert event.step == 150 and set(event.before) == {1} and set(event.ranks) == {5}
        before, after = metrics(found)[15], metrics(found)[16]  # evaluations every 10 steps
        assert after > 1.2 * before and metrics(repaired)[16] < 1.01 * metrics(repaired)[15]

    @pytest.mark.parametrize("slug", PRESETS)
    def test_only_the_one_to_blame_is_said_to_be(self, slug: str) -> None:
        preset = PRESETS[slug]
        verdicts = {one.name: one.verdict.startswith("Repaired") for one in preset.suspects}
        assert [name for name, said in verdicts.items() if said] == [preset.blame]
        for suspect in preset.suspects:
            race_configs(slug, {"suspect": suspect.name})


@pytest.mark.parametrize(
    ("slug", "asked", "line"),
    [
        ("capstone", {"warmup": 300}, "warmup = 300: a whole number from 0 to 299"),
        ("capstone", {"warmup": "30"}, "warmup = '30': a whole number from 0 to 299"),
        ("capstone", {"add_r": True}, "add_r = True: a whole number from 1 to 8"),
        ("capstone", {"growth": "wild"}, "growth = 'wild': choose one of linear, non-linear, fixed"),
        ("capstone", {"steps": 10**6}, "steps = 1000000: not open in this lesson; open are seed, warmup"),
        ("one-rank", {"seed": -1}, "seed = -1: a whole number from 0 to 9999"),
        ("wrong-ties", {"suspect": "nobody"}, "suspect = 'nobody': choose one of top_h, budget, ties, rate"),
        ("lora", {}, "lesson = 'lora': trains nothing"),
        ("nowhere", {}, "lesson = 'nowhere': trains nothing"),
    ],
)  # fmt: skip
def test_what_may_not_be_asked_for_is_named(slug: str, asked: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as error:
        race_configs(slug, asked)
    assert error.value.lines[0].startswith(line)


def test_a_race_is_known_by_its_configurations() -> None:
    for slug, asked in (*ASKED.items(), ("capstone", {"seed": 9, "add_r": 3}), ("wrong-scale", {"suspect": "rate"})):
        configs = race_configs(slug, asked)
        assert is_race_of(slug, configs)
        assert not is_race_of(slug, [config.for_method("lora") for config in configs])
        assert not any(is_race_of(other, configs) for other in LESSONS if other != slug)


def test_what_the_reader_sets_is_of_their_own_run_and_the_seed_of_both() -> None:
    default, yours = race_configs("capstone", {"warmup": 10, "seed": 5})
    assert (default.warmup, yours.warmup) == (30, 10) and default.seed == yours.seed == 5
    assert set(RACES["capstone"].free) == {"warmup", "interval", "growth", "top_h", "add_r"}


@pytest.mark.parametrize("slug", LESSONS)
def test_a_message_holds_what_its_lesson_draws_and_is_small(slug: str) -> None:
    data = learn_message(slug, visit=1, house={"base": "/", "may_train": True, "pages": ("learn",), "code": ""})
    message = unpack(data)
    assert message["lesson"] == slug and len(data) < 70_000
    assert bool(message["data"]["recorded"]) == (slug in ASKED)
    assert json.dumps(message["spec"]["lessons"]).count('"slug"') == len(LESSONS)
