"""What a run's events say against it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triadapt.events import Event, Finished, Geometry, Matrix, RankEvent, Started, Step, Warned
from triadapt.views.health import Health, findings

START = Started(0, {}, [Matrix(f"m{i}", i, "q", (8, 4)) for i in range(3)], "triadaptlora", "planted", "grows",
                "triangular", "error", False, 100, 3, 6, 99, [40, 60], "cpu")  # fmt: skip


def steps(first: int, last: int, loss: float = 1.0) -> list[Event]:
    return [Step(t, loss + 0.01 * (t % 3), 0.1) for t in range(first, last + 1)]


def grown(step: int, before: list[int], ranks: list[int], scores: tuple[float, ...] = (3, 2, 1)) -> RankEvent:
    return RankEvent(step, "linear", 0.5, 1, [0], sum(ranks), 10, 20, np.array(scores, np.float32),
                     np.array(ranks, np.uint16), np.array(before, np.uint16))  # fmt: skip


HEALTHY: list[Event] = [
    START, *steps(0, 40), grown(40, [1, 1, 1], [2, 2, 1]), *steps(41, 60), grown(60, [2, 2, 1], [3, 2, 1]),
    *steps(61, 99), Geometry(100, np.array([3, 2, 1], np.uint16), np.array([3, 2, 1, 2, 1, 1], np.float32)),
    Finished(100, {"error": 0.1}),
]  # fmt: skip


def codes(events: list[Event]) -> list[str]:
    return [finding.code for finding in findings(events)]


def test_a_healthy_run_has_no_findings() -> None:
    assert codes(HEALTHY) == []
    assert findings([]) == []


def test_a_loss_that_is_no_number_is_found_at_its_step() -> None:
    (finding,) = findings([START, *steps(0, 7), Step(8, float("nan"), 0.1), *steps(9, 12)])
    assert (finding.code, finding.step) == ("diverged", 8) and "learning_rate" in finding.advice


def test_a_schedule_that_never_fired_is_said_at_the_end_only() -> None:
    assert codes([START, *steps(0, 99)]) == []
    assert codes([START, *steps(0, 99), Finished(100, {})]) == ["never_fired"]
    foreseen = Warned(0, "schedule", "no event", "")
    assert codes([START, foreseen, *steps(0, 99), Finished(100, {})]) == []
    assert codes([replace(START, allocation="fixed"), *steps(0, 99), Finished(100, {})]) == []
    frozen = replace(START, allocation="freezes")
    assert codes([frozen, *steps(0, 99), Finished(100, {})]) == ["never_fired"]
    assert codes([replace(frozen, planned=[]), *steps(0, 99), Finished(100, {})]) == []


def test_events_that_change_nothing_and_a_missed_target_are_told_apart() -> None:
    still = grown(40, [1, 1, 1], [1, 1, 1])
    assert codes([START, *steps(0, 40), still]) == ["never_changed"]
    missed = findings([START, *steps(0, 40), grown(40, [1, 1, 1], [2, 1, 1]), Finished(100, {})])
    assert [finding.code for finding in missed] == ["target_missed"] and "rank 4" in missed[0].message
    told = Warned(99, "budget", "the budget was not reached", "")
    assert codes([START, *steps(0, 40), grown(40, [1, 1, 1], [2, 1, 1]), told, Finished(100, {})]) == []
    pruned = replace(START, allocation="prunes", start_total_rank=9, target_total_rank=4)
    assert codes([pruned, grown(40, [3, 3, 3], [2, 2, 1]), Finished(100, {})]) == ["target_missed"]


def test_equal_scores_mean_that_chance_decided() -> None:
    equal = grown(40, [1, 1, 1], [2, 1, 1], scores=(0.5, 0.5, 0.5))
    (finding,) = findings([START, *steps(0, 40), equal])
    assert finding.code == "equal_scores" and "once" in finding.message


def test_an_adapter_that_is_zero_after_training_is_dead() -> None:
    shape = Geometry(50, np.array([2, 1, 1], np.uint16), np.array([1, 0.5, 0, 0.2], np.float32))
    (finding,) = findings([START, shape])
    assert finding.code == "dead" and "1 (L1.q) of 3" in finding.message
    assert codes([START, replace(shape, step=0)]) == []
    assert codes([START, Geometry(50, np.array([2, 0, 1], np.uint16), np.array([1, 0.5, 0.2], np.float32))]) == []


def test_a_jump_of_the_loss_after_an_event_is_found() -> None:
    events = [START, *steps(0, 40), grown(40, [1, 1, 1], [2, 2, 1]), *steps(41, 60, loss=1.5)]
    (finding,) = findings(events)
    assert (finding.code, finding.step) == ("spikes", 40) and "50%" in finding.message
    assert finding.advice == "Lower `learning_rate`."
    config = {"add_r": 2, "triadaptlora": {"init": "eye", "scale": "constant"}}
    (finding,) = findings([replace(START, config=config), *events[1:]])
    assert finding.advice == "Lower `add_r` or `learning_rate`; choose identity for `triadaptlora.init`."


@given(st.lists(st.integers(1, 10), min_size=0, max_size=6), st.sampled_from([0, 1, 2]))
def test_fed_in_pieces_it_finds_the_same(cuts: list[int], what: int) -> None:
    events = [HEALTHY, [START, *steps(0, 40), grown(40, [1, 1, 1], [2, 2, 1]), *steps(41, 60, loss=1.5)],
              [START, *steps(0, 9), Step(10, float("inf"), 0.1), Finished(11, {})]][what]  # fmt: skip
    health, at = Health(), 0
    for cut in cuts:
        health.add(events[at : at + cut * 12])
        health.findings()
        at += cut * 12
    health.add(events[at:])
    assert health.findings() == findings(events)


@pytest.mark.parametrize("kind", ["diverged", "dead", "spikes"])
def test_every_finding_says_what_to_change(kind: str) -> None:
    cases = {
        "diverged": [START, Step(0, float("nan"), 0.1)],
        "dead": [START, Geometry(50, np.ones(3, np.uint16), np.zeros(3, np.float32))],
        "spikes": [START, *steps(0, 40), grown(40, [1, 1, 1], [2, 2, 1]), *steps(41, 60, loss=9.0)],
    }
    (finding,) = findings(cases[kind])
    assert finding.code == kind and finding.message.endswith(".") and finding.advice.endswith(".")


def test_a_loss_that_was_exactly_zero_before_an_event_is_no_crash() -> None:
    events = [START, *(Step(t, 0.0, 0.1) for t in range(41)), grown(40, [1, 1, 1], [2, 2, 1]), *steps(41, 60, loss=1.5)]
    assert all(finding.code != "spikes" for finding in findings(events))


def test_of_a_recording_with_one_step_of_many_nothing_is_told_that_is_not_known() -> None:
    def loss(step: int) -> float:
        return 1.0 if step < 300 else 3.0  # a jump far from the event

    events: list[Event] = [START]
    for step in range(600):
        if step == 100:
            events.append(grown(100, [1, 1, 1], [2, 2, 1]))
        if step % 5 == 0:
            events.append(Step(step, float("nan") if step >= 400 else loss(step), 0.1))
    (finding,) = findings(events)
    assert (finding.code, finding.step) == ("diverged", 400)
