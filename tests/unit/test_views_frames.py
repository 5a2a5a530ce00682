"""Frames carry arrays beside JSON, exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from triadapt.views.frames import pack, unpack

arrays = st.sampled_from([np.uint8, np.uint16, np.uint32, np.float32]).flatmap(
    lambda dtype: hnp.arrays(dtype, st.integers(0, 9), elements={"allow_nan": False} if dtype is np.float32 else None)
)


@given(st.lists(arrays, max_size=5))
def test_arrays_come_back_equal_with_their_type(items: list[np.ndarray]) -> None:
    back = unpack(pack({"items": items}))["items"]
    assert len(back) == len(items)
    for array, restored in zip(items, back, strict=True):
        assert restored.dtype == array.dtype
        np.testing.assert_array_equal(restored, array)


def test_header_and_arrays_start_at_multiples_of_four() -> None:
    data = pack({"a": np.arange(3, dtype=np.uint8), "b": np.ones(2, np.float32), "c": {"d": np.ones(1, np.uint16)}})
    length = int.from_bytes(data[:4], "little")
    assert length % 4 == 0 and len(data) % 4 == 0
    assert b'"b":{"$":["f4",4,2]}' in data and b'"d":{"$":["u2",12,1]}' in data


def test_a_matrix_is_flattened_row_by_row() -> None:
    back = unpack(pack({"a": np.arange(6, dtype=np.uint16).reshape(2, 3).T}))["a"]
    assert back.tolist() == [0, 3, 1, 4, 2, 5]


def test_floats_that_are_not_finite_become_null() -> None:
    frame = {"a": math.nan, "b": [math.inf, 1.5], "c": np.float64("nan"), "d": np.int64(3)}
    assert unpack(pack(frame)) == {"a": None, "b": [None, 1.5], "c": None, "d": 3}


def test_text_of_any_language_survives() -> None:
    assert unpack(pack({"message": "Größe 長さ"}))["message"] == "Größe 長さ"


def test_signed_arrays_are_refused_by_name() -> None:
    with pytest.raises(TypeError, match=r"int32.*u1, u2, u4, f2, f4"):
        pack({"a": np.zeros(2, np.int32)})


@pytest.mark.parametrize("data", [b"", b"ab", b"\x08\0\0\0not json"])
def test_other_bytes_are_no_frame(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a frame"):
        unpack(data)
