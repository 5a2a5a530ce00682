"""Recovery of planted ranks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triadapt.views.recovery import recovery


def test_all_growth_on_the_planted_matrix_is_full_precision() -> None:
    found = recovery(np.array([5, 1, 1, 1]), np.array([4, 0, 0, 0]), np.array([1, 1, 1, 1]))
    assert found == {"coverage": 1.0, "precision": 1.0, "chance": 0.25, "even": 0.5}


def test_coverage_counts_each_matrix_up_to_its_planted_rank() -> None:
    found = recovery(np.array([3, 9]), np.array([4, 4]), np.array([1, 1]))
    assert found["coverage"] == pytest.approx(7 / 8)


def test_where_nothing_grew_the_rank_that_is_held_counts() -> None:
    pruned = recovery(np.array([3, 1, 0, 0]), np.array([2, 0, 0, 0]), np.array([3, 3, 3, 3]))
    assert pruned["precision"] == pytest.approx(3 / 4)
    even = recovery(np.full(8, 2), np.array([8, 8, 0, 0, 0, 0, 0, 0]), np.full(8, 2))
    assert even["precision"] == even["chance"] == 0.25
    assert even["coverage"] == even["even"]


def test_without_planted_rank_there_is_nothing_to_recover() -> None:
    assert set(recovery(np.ones(3), np.zeros(3), np.ones(3)).values()) == {None}


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="shapes must be equal"):
        recovery(np.ones(3), np.zeros(2), np.ones(3))


ranks = st.lists(st.integers(0, 20), min_size=6, max_size=6)


@given(ranks, ranks, ranks)
def test_every_share_lies_between_zero_and_one(held: list[int], planted: list[int], start: list[int]) -> None:
    for value in recovery(np.array(held), np.array(planted), np.array(start)).values():
        assert value is None or 0 <= value <= 1
