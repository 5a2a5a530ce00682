"""The loss around rank events, held against ordinary steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from compare_runs import record
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from triadapt.views.compare.loss_at_events import LossAtEvents, loss_at_events
from triadapt.views.compare.record import RunRecord

SPACING = 20
EVENTS = np.arange(39, 300, SPACING)  # after so many steps


def run(losses: NDArray[np.float64], events: NDArray[np.int64] = EVENTS, every: int = 1) -> RunRecord:
    """A run with these losses `(steps,)`, of which one in `every` is recorded, and rank events at these steps."""
    steps = np.arange(0, len(losses), every)
    ranks = 1 + np.arange(len(events) + 1)[:, None] * np.array([1, 0])
    return replace(
        record([[1, 1]]), steps=steps, losses=losses[steps], times=steps / 2, ranks=ranks,
        state_steps=np.concatenate([[-1], events]), state_times=np.concatenate([[0.0], events / 2]),
        parameters=ranks.sum(axis=1), chosen=np.tile([True, False], (len(events), 1)),
    )  # fmt: skip


def found(record: RunRecord) -> LossAtEvents:
    result = loss_at_events(record)
    assert isinstance(result, LossAtEvents), result
    return result


@given(st.floats(-2, 2), st.floats(-0.01, 0.01))
def test_a_jump_at_events_is_found_whatever_the_trend(jump: float, slope: float) -> None:
    steps = np.arange(320)
    jumps = jump * np.searchsorted(EVENTS, steps)  # the loss of step t + 1 is the first after an event at t
    result = found(run(1 + slope * steps + jumps))
    assert result.window == 5 and result.events == len(EVENTS)
    assert result.ordinary == pytest.approx(5 * slope, abs=1e-6)
    assert result.at_events == pytest.approx(5 * slope + jump, abs=1e-6)
    assert result.difference == pytest.approx(jump, abs=1e-6) and result.half_width == pytest.approx(0, abs=1e-6)


def test_a_loss_that_falls_ever_more_slowly_favours_neither_side() -> None:
    result = found(run(np.exp(-np.arange(320) / 100)))
    assert abs(result.difference) < 0.02 * abs(result.ordinary)


def test_the_interval_of_noise_holds_zero_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    results = [found(run(rng.normal(size=320))) for _ in range(200)]
    inside = np.mean([abs(result.difference) <= (result.half_width or 0) for result in results])
    assert 0.88 <= inside <= 0.99


def test_close_events_get_smaller_windows_and_closer_ones_none() -> None:
    assert found(run(np.ones(320), np.arange(30, 300, 6))).window == 3
    assert loss_at_events(run(np.ones(320), np.arange(30, 300, 5))) == "rank events are closer together than 6 steps"


def test_what_cannot_be_told_is_said_in_words() -> None:
    assert loss_at_events(record([[2, 2]])) == "no rank event moved a rank"
    assert loss_at_events(run(np.ones(320), every=4)) == "too few losses are recorded around its rank events"


def test_losses_that_are_no_numbers_are_left_out() -> None:
    losses = np.ones(320)
    losses[EVENTS[2] + 1] = np.nan
    result = found(run(losses))
    assert result.events == len(EVENTS) - 1 and result.difference == 0


def test_an_event_without_ordinary_steps_on_both_sides_does_not_count() -> None:
    result = found(run(np.ones(45), np.array([4, 24, 44])))
    assert (result.events, result.half_width) == (1, None)
