import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from triadapt.growth import (
    adalora_budget,
    event_steps,
    growth_threshold,
    is_event,
    matrices_at_or_above,
    matrices_to_grow,
    normalized_frobenius,
)  # fmt: skip
from triadapt.growth.budget import grants

MODES = st.sampled_from(["linear", "non-linear", "fixed"])
SCORES = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=40)


@st.composite
def growth(draw: st.DrawFn) -> dict[str, int]:
    warmup = draw(st.integers(0, 200))
    total_step = warmup + draw(st.integers(1, 400))
    return {
        "init_warmup": warmup,
        "total_step": total_step,
        "step": draw(st.integers(warmup, total_step)),
        "target_total_rank": draw(st.integers(0, 300)),
        "total_rank": draw(st.integers(0, 300)),
        "num_matrices": draw(st.integers(1, 80)),
        "top_h": draw(st.integers(1, 100)),
    }


@given(MODES, growth())
def test_the_count_lies_between_one_and_all_matrices_and_is_zero_when_full(mode: str, values: dict[str, int]) -> None:
    count = matrices_to_grow(mode, **values)
    if values["total_rank"] >= values["target_total_rank"]:
        assert count == 0
    else:
        assert 1 <= count <= values["num_matrices"]


@given(MODES, growth(), st.integers(0, 600))
def test_the_count_never_falls_with_progress(mode: str, values: dict[str, int], later: int) -> None:
    later = min(values["total_step"], values["step"] + later)
    assert matrices_to_grow(mode, **values) <= matrices_to_grow(mode, **{**values, "step": later})


@given(growth())
def test_linear_takes_the_share_of_the_gap_and_nonlinear_its_power(values: dict[str, int]) -> None:
    gap = values["target_total_rank"] - values["total_rank"]
    assume(gap > 0)
    p = (values["step"] - values["init_warmup"]) / (values["total_step"] - values["init_warmup"])
    n = values["num_matrices"]
    assert matrices_to_grow("linear", **values) == max(1, min(n, int(gap * p)))
    assert matrices_to_grow("non-linear", **values) == max(1, min(n, int(math.exp(p * math.log(gap)))))
    assert matrices_to_grow("fixed", **values) == min(n, values["top_h"])


GROWTH = {"step": 5, "init_warmup": 0, "total_step": 10, "target_total_rank": 9, "total_rank": 3, "num_matrices": 4}


def test_an_unknown_mode_and_a_warmup_past_the_end_are_refused() -> None:
    with pytest.raises(ValueError, match="growth = 'cubic': must be linear, non-linear or fixed"):
        matrices_to_grow("cubic", **GROWTH)
    with pytest.raises(ValueError, match="warmup = 10: must be below"):
        matrices_to_grow("linear", **{**GROWTH, "init_warmup": 10})


@given(st.integers(0, 300), st.integers(1, 90), st.integers(0, 400))
def test_event_steps_are_the_steps_at_which_an_event_may_happen(warmup: int, interval: int, total: int) -> None:
    expected = [step for step in range(total) if is_event(step, init_warmup=warmup, interval=interval)]
    assert event_steps(init_warmup=warmup, interval=interval, total_step=total) == expected
    assert all(step > warmup and step % interval == 0 for step in expected)


@given(SCORES, st.data())
def test_the_threshold_is_the_kth_largest_and_at_least_k_reach_it(scores: list[float], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(scores)))
    threshold = growth_threshold(scores, k)
    assert threshold == sorted(scores, reverse=True)[k - 1]
    reached = matrices_at_or_above(scores, threshold)
    assert len(reached) >= k
    assert sum(score > threshold for score in scores) < k
    assert sorted(reached) == [i for i, score in enumerate(scores) if score >= threshold]


@given(st.lists(st.sampled_from([-1.0, 0.0, 0.5]), min_size=1, max_size=20))
def test_those_who_reach_it_come_best_first_and_equals_keep_their_order(scores: list[float]) -> None:
    reached = matrices_at_or_above(scores, min(scores))
    assert reached == sorted(range(len(scores)), key=lambda i: (-scores[i], i))


@pytest.mark.parametrize("k", [0, -1, 4])
def test_a_threshold_needs_a_rank_that_exists(k: int) -> None:
    with pytest.raises(ValueError, match=f"k = {k}: must be between 1 and the number of matrices"):
        growth_threshold([1.0, 2.0, 3.0], k)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_scores_that_are_not_finite_name_the_matrix_and_the_fix(bad: float) -> None:
    with pytest.raises(ValueError, match=f"importance of matrix 1 is {bad}: .* lower learning_rate"):
        growth_threshold([1.0, bad, 3.0], 1)


def test_the_normalised_norm_divides_by_blocks() -> None:
    assert normalized_frobenius(np.array([[3.0, 0.0], [0.0, 4.0]]), 2) == 2.5
    with pytest.raises(ValueError, match="num_blocks = 0"):
        normalized_frobenius(np.eye(2), 0)


@given(st.data(), st.integers(1, 5), st.integers(0, 60))
def test_grants_never_pass_the_gap_or_the_size_of_a_matrix(data: st.DataObject, add_r: int, gap: int) -> None:
    limits = data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=12))
    ranks = [data.draw(st.integers(0, limit)) for limit in limits]
    candidates = data.draw(st.permutations(range(len(limits))))[: data.draw(st.integers(0, len(limits)))]
    given_out = grants(candidates, ranks=ranks, limits=limits, add_r=add_r, gap=gap)
    assert sum(gain for _, gain in given_out) <= gap
    assert all(1 <= gain <= add_r and ranks[i] + gain <= limits[i] for i, gain in given_out)
    assert [i for i, _ in given_out] == [i for i in candidates if i in dict(given_out)]
    wanted = sum(min(add_r, limits[i] - ranks[i]) for i in candidates)
    assert sum(gain for _, gain in given_out) == min(gap, wanted)


@given(st.integers(1, 100), st.integers(0, 300), st.integers(0, 100), st.integers(0, 80), st.integers(2, 400))
def test_the_adalora_budget_falls_from_start_to_target(
    target: int, surplus: int, tinit: int, tfinal: int, between: int
) -> None:
    total_step = tinit + tfinal + between
    budgets = [
        adalora_budget(
            step, init_total=target + surplus, target_total=target, tinit=tinit, tfinal=tfinal, total_step=total_step
        )
        for step in range(total_step + 1)
    ]
    assert budgets[: tinit + 1] == [target + surplus] * (tinit + 1)
    assert budgets == sorted(budgets, reverse=True)
    assert set(budgets[total_step - tfinal :]) == {target}
