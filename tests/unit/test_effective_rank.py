"""Effective rank: how much of the allocated rank the change of a matrix uses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triadapt.methods.effective_rank import effective_ranks


def test_singular_values_that_carry_99_percent_of_the_energy_count() -> None:
    singular = np.array([1.0, 1.0, 1.0, 0.01, 0.0, 5.0, 0.4], np.float32)
    np.testing.assert_array_equal(effective_ranks(singular, np.array([2, 3, 0, 2])), [2, 1, 0, 1])


def test_equal_values_all_count_and_one_percent_may_be_left_out() -> None:
    assert effective_ranks(np.ones(8), np.array([8])).tolist() == [8]
    assert effective_ranks(np.array([3.0, 0.29]), np.array([2])).tolist() == [1]  # 0.9 % in the second
    assert effective_ranks(np.array([3.0, 0.31]), np.array([2])).tolist() == [2]  # 1.1 %


def test_no_change_uses_no_rank_and_what_is_not_finite_does_not_count() -> None:
    assert effective_ranks(np.zeros(3), np.array([1, 2])).tolist() == [0, 0]
    assert effective_ranks(np.array([np.nan, np.inf, 2.0]), np.array([3])).tolist() == [1]
    assert effective_ranks(np.zeros(0), np.zeros(0)).tolist() == []


def test_lengths_must_fit() -> None:
    with pytest.raises(ValueError, match="singular: 2 values, but ranks add up to 3"):
        effective_ranks(np.ones(2), np.array([1, 2]))


@given(st.lists(st.lists(st.just(0.0) | st.floats(1e-9, 1e9), max_size=6), max_size=6), st.floats(0.5, 2))
def test_it_lies_between_zero_and_the_allocated_rank_and_no_scale_changes_it(
    parts: list[list[float]], scale: float
) -> None:
    ranks = np.array([len(part) for part in parts], int)
    singular = np.array([value for part in parts for value in part], np.float64)
    used = effective_ranks(singular, ranks)
    assert used.shape == ranks.shape
    assert ((used >= 0) & (used <= ranks)).all()
    np.testing.assert_array_equal(used == 0, [not any(part) for part in parts])
    np.testing.assert_array_equal(used, effective_ranks(singular * 2.0 ** round(scale * 8), ranks))
