import json
import struct
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from triadapt.events import EVENTS, Event, Matrix, RankEvent, Scores, Started, Step, _decoded, decode, encode

STEPS = st.integers(0, 10**6)
TEXT = st.text(max_size=12)
FLOATS = st.floats(allow_nan=False)
COUNTS = st.integers(0, 2**40)
JSON = st.recursive(
    st.none() | st.booleans() | COUNTS | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
MATRICES = st.builds(Matrix, TEXT, st.integers(0, 99), TEXT, st.tuples(COUNTS, COUNTS), st.none() | st.integers(0, 64))
OF_ANNOTATION = {
    "int": COUNTS, "float": FLOATS, "str": TEXT, "bool": st.booleans(), "list[int]": st.lists(COUNTS, max_size=4),
    "list[list[int]]": st.lists(st.lists(COUNTS, max_size=3), max_size=3),
    "dict[str, Any]": st.dictionaries(TEXT, JSON, max_size=3),
    "dict[str, str]": st.dictionaries(TEXT, TEXT, max_size=3),
    "dict[str, float]": st.dictionaries(TEXT, FLOATS, max_size=3), "list[Matrix]": st.lists(MATRICES, max_size=3),
    "NDArray[np.float32]": arrays(np.float32, st.integers(0, 6), elements=st.floats(width=32)),
    "NDArray[np.uint16]": arrays(np.uint16, st.integers(0, 6)),
}  # fmt: skip


def events_of(cls: type[Event]) -> st.SearchStrategy[Event]:
    values = {f.name: OF_ANNOTATION[str(f.type)] for f in fields(cls)}
    return st.builds(cls, **{**values, "step": STEPS})


EVENT = st.one_of([events_of(cls) for cls in EVENTS.values()])


@given(EVENT)
def test_decode_is_the_inverse_of_encode_for_every_kind(event: Event) -> None:
    body, blob = encode(event)
    again = decode(event.kind, event.step, body, blob)
    assert type(again) is type(event)
    for field in fields(event):
        left, right = getattr(event, field.name), getattr(again, field.name)
        if field.name in event.arrays:
            np.testing.assert_array_equal(left, right)
            assert left.dtype == right.dtype
        else:
            assert left == right
    assert encode(again) == (body, blob)


@given(EVENT)
def test_a_body_is_json_that_any_reader_takes(event: Event) -> None:
    body, blob = encode(event)
    values = json.loads(body)
    assert "step" not in values
    sizes = [np.dtype(dtype).itemsize for dtype in event.arrays.values()]
    assert len(blob) == sum(n * size for n, size in zip(values.get("lengths", []), sizes, strict=True))


@given(STEPS, st.floats(), st.floats())
def test_the_fast_path_of_a_step_writes_what_the_general_one_would(step: int, loss: float, rate: float) -> None:
    body, blob = encode(Step(step, loss, rate))
    assert body == json.dumps({"loss": loss, "learning_rate": rate}, separators=(",", ":"))
    assert blob == b""


def test_arrays_that_are_not_contiguous_or_of_another_type_give_the_same_bytes() -> None:
    plain = Scores(3, np.array([1, 2, 3], np.float32))
    strided = Scores(3, np.array([1, 9, 2, 9, 3, 9], np.float32)[::2])
    double = Scores(3, np.array([1, 2, 3], np.float64))
    swapped = Scores(3, np.array([1, 2, 3], ">f4"))
    assert encode(plain) == encode(strided) == encode(double) == encode(swapped)
    assert encode(plain)[1] == struct.pack("<3f", 1, 2, 3)


def rank_event(ranks: Any) -> RankEvent:
    return RankEvent(1, "linear", 0.5, 1, [0], 3, 10, 10, ranks=ranks)


@pytest.mark.parametrize(
    "ranks", [np.array([70_000]), np.array([-1]), np.array([0.5]), [70_000], np.ones((2, 2)), ["a"]]
)
def test_an_array_that_does_not_fit_its_type_is_refused(ranks: Any) -> None:
    with pytest.raises(ValueError, match="ranks"):
        encode(rank_event(ranks))


GOOD = encode(rank_event(np.array([1, 2], np.uint16)))


@pytest.mark.parametrize(
    ("kind", "body", "blob"),
    [
        ("nonsense", "{}", b""),
        ("step", "", b""),
        ("step", "not json", b""),
        ("step", "[]", b""),
        ("step", "null", b""),
        ("step", "3", b""),
        ("step", "{}", b""),
        ("step", '{"loss":1.0}', b""),
        ("step", '{"loss":1.0,"learning_rate":1.0,"more":1}', b""),
        ("step", '{"loss":1.0,"learning_rate":1.0,"step":1}', b""),
        ("step", '{"loss":1.0,"learning_rate":1.0}', b"junk"),
        ("step", "[" * 100_000, b""),
        ("scores", "{}", b""),
        ("scores", '{"lengths":[2]}', b"1234"),
        ("scores", '{"lengths":[1]}', b"12345678"),
        ("scores", '{"lengths":[-1]}', b"1234"),
        ("scores", '{"lengths":["1"]}', b"1234"),
        ("scores", '{"lengths":3}', b"1234"),
        ("scores", '{"lengths":[1,1]}', b"12345678"),
        ("started", '{"matrices":3}', b""),
        ("started", '{"matrices":[{"shape":3}]}', b""),
        ("rank", GOOD[0], GOOD[1][:-1]),
        ("rank", GOOD[0][:-1], GOOD[1]),
    ],
)
def test_junk_is_refused_with_a_value_error(kind: str, body: str, blob: bytes) -> None:
    with pytest.raises(ValueError, match=kind):
        decode(kind, 0, body, blob)


@given(st.sampled_from(sorted(EVENTS)), st.one_of(TEXT, JSON.map(json.dumps)), st.binary(max_size=16))
def test_anything_else_is_an_event_or_a_value_error(kind: str, body: str, blob: bytes) -> None:
    try:
        assert decode(kind, 0, body, blob).kind == kind
    except ValueError:
        pass


# Bodies that are a step's, or nearly: other keys, keys twice, blanks, more behind, other types.
NEARLY_A_STEP = st.one_of(
    events_of(Step).map(lambda event: encode(event)[0]),
    st.dictionaries(st.sampled_from(["loss", "learning_rate", "lengths", "step"]), JSON, max_size=3).map(json.dumps),
    st.tuples(TEXT, events_of(Step).map(lambda event: encode(event)[0]), TEXT).map("".join),
    st.sampled_from([
        ' {"loss":1,"learning_rate":2}\n', '{"loss":1,"learning_rate":2} {}', '{"loss":1,"loss":2,"learning_rate":3}',
        '{"loss":NaN,"learning_rate":-Infinity}', '{"loss":1,"learning_rate":', '["loss","learning_rate"]', '"ab"',
    ]),
)  # fmt: skip


@given(STEPS, NEARLY_A_STEP, st.sampled_from([b"", b"junk"]))
def test_the_fast_path_of_a_step_reads_what_the_general_one_does(step: int, body: str, blob: bytes) -> None:
    def outcome(read: Callable[[str, int, str, bytes], Event]) -> str:
        try:
            return repr(read("step", step, body, blob))  # NaN is not equal to itself, its text is
        except ValueError as error:
            return f"refused: {error}"

    assert outcome(decode) == outcome(_decoded)


def test_a_shape_comes_back_as_a_tuple() -> None:
    matrix = Matrix("blocks.0.q", 0, "q", (16, 8), 2)
    event = Started(0, {}, [matrix], "lora", "planted", "fixed", "none", "m", True, 1, 1, 1, 1, [], "cpu")
    decoded = decode("started", 0, *encode(event))
    assert isinstance(decoded, Started)
    assert decoded.matrices == [matrix]
