"""Which numbers a structured matrix of SURM is made of, and how many. Free of torch."""

from __future__ import annotations

import math
from typing import Literal

Structure = Literal["kronecker", "circulant", "toeplitz", "displacement"]

STRUCTURES: tuple[Structure, ...] = ("kronecker", "circulant", "toeplitz", "displacement")


def two_factors(size: int, factor: int = 0) -> tuple[int, int]:
    """`(a, b)` with `a * b = size`, as PEFT's LoKr chooses them.

    factor: a, if it divides `size`, else the largest divisor below it that is not above the square root; 0: the largest
    that is not above the square root, LoKr's `decompose_factor = -1`.
    """
    if factor and size % factor == 0:
        return factor, size // factor
    bound = min(math.isqrt(size), factor or size)
    first = next(a for a in range(bound, 0, -1) if size % a == 0)
    return first, size // first


def part_shapes(
    structure: Structure, out_features: int, in_features: int, displacement_rank: int, factor: int
) -> dict[str, tuple[int, ...]]:
    """The trained parts of dW `(out, in)` by name, n being the larger side.

    circulant: its first column c `(n,)`. toeplitz: its first row and column t `(n,)`. displacement: g and h `(k, n)`,
    first columns of circulants and skew-circulants. kronecker: P `(out1, in1)` and Q `(out2, in2)` with
    `out1 out2 = out` and `in1 in2 = in`.
    """
    n = max(out_features, in_features)
    if structure == "circulant":
        return {"c": (n,)}
    if structure == "toeplitz":
        return {"t": (n,)}
    if structure == "displacement":
        return {"g": (displacement_rank, n), "h": (displacement_rank, n)}
    outs, ins = two_factors(out_features, factor), two_factors(in_features, factor)
    return {"P": (outs[0], ins[0]), "Q": (outs[1], ins[1])}


def part_count(structure: Structure, out_features: int, in_features: int, displacement_rank: int, factor: int) -> int:
    """Trained entries of one matrix: n, n, 2 k n, or `out1 in1 + out2 in2`."""
    shapes = part_shapes(structure, out_features, in_features, displacement_rank, factor)
    return sum(math.prod(shape) for shape in shapes.values())
