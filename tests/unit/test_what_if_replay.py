"""Replays of recorded decisions: exact under the run's own schedule, and sound under any other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_recordings import SIDE, MadeUp, config_of
from tiny_runs import tiny

from triadapt.config import RunConfig
from triadapt.events import Geometry, RankEvent, Scores, Stamped, Started, Step
from triadapt.growth.preview import preview
from triadapt.runs.bundle import read_bundle, recorded_races
from triadapt.runs.info import RunError
from triadapt.training.train import train
from triadapt.views.what_if.changes import changed
from triadapt.views.what_if.norms import Norms
from triadapt.views.what_if.recording import Allocation, Recording, recording_of
from triadapt.views.what_if.replay import replay

MODES = st.sampled_from(["linear", "non-linear", "fixed"])
GROWING = st.fixed_dictionaries(
    {"warmup": st.integers(0, 40), "interval": st.integers(1, 25), "growth": MODES, "top_h": st.integers(1, 6),
     "reference_rank": st.integers(2, 5), "add_r": st.integers(1, 2)}
)  # fmt: skip
PRUNING = st.fixed_dictionaries(
    {"warmup": st.integers(0, 20), "interval": st.integers(1, 20), "reference_rank": st.integers(1, 5)}
)


def same(found: Sequence[Allocation], real: Sequence[Allocation]) -> bool:
    def values(events: Sequence[Allocation]) -> list[Any]:
        return [(e.step, e.threshold, e.allowed, e.chosen, e.ranks.tolist()) for e in events]

    return values(found) == values(real)


@pytest.mark.parametrize("race", recorded_races(), ids=lambda race: race.slug)
def test_a_recorded_race_under_its_own_schedule_is_replayed_exactly(race: Any) -> None:
    for run in read_bundle(race.path):
        if run.info().method == "lora":
            continue
        recording = recording_of(run.events())
        assert same(replay(recording, recording.config), recording.events)


@pytest.mark.parametrize(
    ("method", "values"),
    [
        ("triadaptlora", {"triadaptlora": {"init": "eye", "scale": "blocks"}, "add_r": 2}),
        ("triadaptlora", {"triadaptlora": {"behaviour": "reference", "init": "gaussian", "scale": "rank"}}),
        ("increlora", {"increlora": {"behaviour": "reference"}}),
        ("adalora", {}),
    ],
)
def test_a_run_just_trained_is_replayed_exactly(method: str, values: dict[str, Any]) -> None:
    events = [Stamped(seq, 0.0, event) for seq, event in enumerate(train(tiny(method, **values)), 1)]
    recording = recording_of(events)
    assert len(recording.events) > 3 and same(replay(recording, recording.config), recording.events)


@settings(max_examples=50)
@given(GROWING, GROWING, st.sampled_from(["triadaptlora", "increlora"]), st.integers(-1, 50), st.integers(0, 2**16))
def test_any_growing_run_is_replayed_exactly_also_one_that_goes_on_from_another(
    values: dict[str, Any], earlier: dict[str, Any], method: str, given_until: int, seed: int
) -> None:
    # What a branch may not change.
    earlier |= {name: values[name] for name in ("add_r", "reference_rank")}
    made = MadeUp(config_of(method, **values), seed=seed, given_until=given_until, earlier=config_of(method, **earlier))
    recording = made.recording()
    assert same(replay(recording, recording.config), recording.events)


@given(PRUNING, st.integers(0, 2**16))
def test_any_pruning_run_is_replayed_exactly(values: dict[str, Any], seed: int) -> None:
    recording = MadeUp(config_of("adalora", **values), seed=seed).recording()
    assert same(replay(recording, recording.config), recording.events)


@given(GROWING, GROWING, st.sampled_from(["triadaptlora", "increlora"]), st.integers(0, 2**16))
def test_a_replay_keeps_to_schedule_budget_and_sizes(
    values: dict[str, Any], others: dict[str, Any], method: str, seed: int
) -> None:
    recording = MadeUp(config_of(method, **values), seed=seed).recording()
    if method == "increlora":
        others.pop("growth")
    config, _ = changed(recording.config, others)
    found = replay(recording, config)
    before = recording.start
    for event in found:
        gains = event.ranks - before
        assert set(np.flatnonzero(gains)) == set(event.chosen) and len(event.chosen) <= event.allowed
        assert (gains >= 0).all() and gains.max(initial=0) <= config.add_r and event.ranks.max() <= SIDE
        assert event.total <= config.reference_rank * 6 and 0 <= event.age < config.steps
        before = event.ranks
    # Where no matrix is full, everything that may grow does.
    if all(event.ranks.max() < SIDE for event in found):
        assert [(e.step, e.total) for e in found] == [(r["step"], r["total_rank"]) for r in preview(config, 6).rows]


@given(PRUNING, PRUNING, st.integers(0, 2**16))
def test_a_replay_of_pruning_follows_the_budget_of_its_schedule(
    values: dict[str, Any], others: dict[str, Any], seed: int
) -> None:
    recording = MadeUp(
        config_of("adalora", **values, adalora={"init_rank_ratio": 6 / values["reference_rank"]})
    ).recording()
    config, _ = changed(recording.config, others)
    rows = preview(config, 6).rows
    if not recording.events:
        return
    assert [(e.step, e.allowed, e.total) for e in replay(recording, config)] == [
        (row["step"], row["allowed"], row["total_rank"]) for row in rows
    ]


def recording_with(config: RunConfig, *events: Any, rank: int = 1, n: int = 2) -> Recording:
    made = MadeUp(config, n=n)
    made._start()
    started = made.events[0]
    assert isinstance(started, Started)
    return recording_of(Stamped(i, 0.0, event) for i, event in enumerate([started, *events], 1))


def f4(*values: float) -> Any:
    return np.array(values, np.float32)


def u2(*values: int) -> Any:
    return np.array(values, np.uint16)


def grew(step: int, chosen: list[int], scores: Any, before: Any, ranks: Any) -> RankEvent:
    return RankEvent(step, "fixed", 0.0, len(chosen), chosen, int(ranks.sum()), 0, 0, scores, ranks, before)


def test_a_norm_is_that_of_the_rank_and_the_blocks_a_matrix_has_in_the_replay() -> None:
    core = f4(2.0, 0.5, 0.25, 1.0)
    recording = recording_with(
        config_of("triadaptlora", growth="fixed", top_h=1),
        Step(0, 1.0, 0.1),
        Scores(0, f4(0.1, 0.2)),
        grew(12, [0], f4(1.0, 0.5), u2(1, 1), u2(2, 1)),
        Geometry(13, u2(2, 1), f4(0, 0, 0), np.concatenate([core, f4(1.5)])),
        Step(16, 1.0, 0.1),
        Scores(16, f4(-0.9, 0.1)),
    )
    norms, one, two = Norms(recording), np.array([1, 1]), np.array([2, 2])
    # Both began with a core of 1; the first ended at 2 in one block, then at 1.1 in two.
    np.testing.assert_allclose(norms.values, [[1.1, 1.2], [2.0, 1.5], [1.1, 1.6]], rtol=1e-6)
    np.testing.assert_allclose(norms.at(2, np.array([2, 1]), np.array([2, 1])), [1.1, 1.6], rtol=1e-6)
    # Had the first not grown, it would hold the leading part of its recorded core.
    np.testing.assert_allclose(norms.at(2, one, one), [2.0, 1.6], rtol=1e-6)
    # Had the second grown too, a new block would stand beside what it has, and both would share.
    np.testing.assert_allclose(norms.at(2, two, two)[1], np.sqrt(1.6**2 + 1) / 2, rtol=1e-6)


def test_scores_are_those_recorded_at_or_before_the_event_and_their_age_is_told() -> None:
    recording = MadeUp(config_of("increlora", interval=8, warmup=4, top_h=1)).recording()
    config, _ = changed(recording.config, {"interval": 7})
    found = replay(recording, config)
    assert [(e.step, e.age) for e in found[:3]] == [(7, 3), (14, 2), (21, 1)]
    first = int(np.argmax(recording.scores[list(recording.steps).index(4)]))
    assert found[0].chosen == (first,)


def test_what_increlora_repeats_after_its_budget_is_reached_is_no_score() -> None:
    recording = recording_with(
        config_of("increlora", reference_rank=2, top_h=2),
        Step(0, 1.0, 0.1),
        Scores(0, f4(0.1, 0.2)),
        grew(12, [1, 0], f4(1.0, 2.0), u2(1, 1), u2(2, 2)),
        *(item for step in (16, 20, 24) for item in (Step(step, 1.0, 0.1), Scores(step, f4(1.0, 2.0)))),
    )
    assert recording.steps.tolist() == [0, 12]
    config, _ = changed(recording.config, {"reference_rank": 3, "top_h": 1})
    assert [(e.step, e.age) for e in replay(recording, config)] == [(12, 0), (18, 6), (24, 12)]


def test_a_triplet_pruned_in_the_recording_alone_keeps_the_score_it_was_last_held_with() -> None:
    config = config_of("adalora", reference_rank=1, interval=10, warmup=5, adalora={"init_rank_ratio": 2.0})
    owner = u2(0, 0, 1, 1)

    def masked(step: int, budget: int, units: Any, before: Any, ranks: Any) -> RankEvent:
        return RankEvent(
            step, "budget", 0.0, budget, [0], int(ranks.sum()), 0, 0, f4(1, 1), ranks, before, units, owner
        )

    recording = recording_with(
        config,
        Step(0, 1.0, 0.1),
        Scores(0, f4(1, 1)),
        masked(10, 3, f4(4, 1, 3, 2), u2(2, 2), u2(1, 2)),
        masked(20, 2, f4(4, 0, 3, 0.5), u2(1, 2), u2(1, 1)),
        Step(40, 1.0, 0.1),
    )
    config, _ = changed(recording.config, {"warmup": 15})
    (event,) = [event for event in replay(recording, config) if event.step == 20]
    assert event.allowed == 3 and event.ranks.tolist() == [2, 1]


def test_nothing_is_replayed_beyond_what_is_recorded() -> None:
    made = MadeUp(config_of("triadaptlora"))
    whole = made.recording()
    part = [event for event in made.events if event.step <= 30]
    recording = recording_of(Stamped(i, 0.0, event) for i, event in enumerate(part, 1))
    config, _ = changed(recording.config, {"interval": 4})
    assert max(event.step for event in replay(recording, config)) <= 30 < max(e.step for e in replay(whole, config))


def test_what_cannot_be_replayed_is_said_in_one_line() -> None:
    with pytest.raises(RunError, match="it has not started yet"):
        recording_of([])
    with pytest.raises(RunError, match="LoRA takes no decisions"):
        recording_with(config_of("lora"))
    with pytest.raises(RunError, match="recorded no scores"):
        recording_with(config_of("triadaptlora"))
    never = MadeUp(config_of("adalora", interval=100, adalora={"final_share": 0.0})).recording()
    assert replay(never, never.config) == ()
    with pytest.raises(RunError, match="recorded at rank events alone"):
        replay(never, changed(never.config, {"interval": 10})[0])
