"""The verdict of the benchmark of a class."""

from __future__ import annotations

import pytest

from benchmarks.classroom import FELT, TARGET_MS, Measured, is_held

FAST, SLOW = [0.2 * TARGET_MS] * 40, [0.2 * TARGET_MS] * 30 + [3.0 * TARGET_MS] * 10


@pytest.mark.parametrize(
    ("light", "felt", "errors", "held"),
    [
        (FAST, FAST, [], True),
        (SLOW, FAST, [], False),
        (FAST, SLOW, [], False),
        (FAST, [], [], False),
        (FAST, FAST, ["session 3: no answer"], False),
    ],
)
def test_a_class_is_served_in_time_when_sessions_and_a_browser_are_and_nothing_went_wrong(
    light: list[float], felt: list[float], errors: list[str], held: bool
) -> None:
    assert is_held(Measured({"to play": light, FELT: felt}, errors=errors)) is held
