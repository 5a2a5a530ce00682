"""Short names of the places in a block."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triadapt.methods.places import short_names


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["attention.self.query", "attention.self.key"], ["query", "key"]),
        (
            ["attention.self.query_proj", "attention.output.dense", "intermediate.dense", "output.dense"],
            ["query", "attn.out", "inter", "out"],
        ),
        (["attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"], ["c_attn", "attn.c_proj", "c_fc", "mlp.c_proj"]),
        (["self_attn.q_proj", "self_attn.o_proj", "mlp.gate_proj"], ["q", "o", "gate"]),
        (["block.dense", "block.fc"], ["dense", "fc"]),
        (["dense"], ["dense"]),
        (["q", "x.q"], ["q", "x.q"]),
        (["q", "q_proj"], ["q", "q_proj"]),
    ],
)
def test_places_have_the_names_that_people_use(paths: list[str], expected: list[str]) -> None:
    assert list(short_names(paths).values()) == expected


PARTS = st.lists(st.sampled_from(["a", "attn", "attention", "dense", "fc", "q", "q_proj"]), min_size=1, max_size=4).map(
    ".".join
)


@given(st.lists(PARTS, min_size=1, max_size=12, unique=True))
def test_no_two_places_have_one_name(paths: list[str]) -> None:
    short = short_names(paths)
    assert list(short) == paths and len(set(short.values())) == len(paths) and all(short.values())
