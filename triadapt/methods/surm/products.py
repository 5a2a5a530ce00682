"""Products with structured matrices, without forming them.

A square structured matrix of size n acts on vectors `x` `(..., in)` through its leading corner `(out, in)`: x is filled
up with zeros, the result is cut.
"""

from __future__ import annotations

import torch
from torch.nn.functional import pad

from triadapt.methods.surm.convolution import Circulant, Displacement

Parts = dict[str, torch.Tensor]


def multiply(x: torch.Tensor, parts: Parts, out: int) -> torch.Tensor:
    """`x M^T` `(..., out)` for `x` `(..., in)` and the matrix M of these parts, named as in `sizes.part_shapes`."""
    if "P" in parts:
        return kronecker(x, parts["P"], parts["Q"])
    tokens = _wide(x.reshape(-1, x.shape[-1]))
    if not len(tokens):  # MKL's transforms want at least one; parts are to have a gradient, of zeros, all the same
        tokens = pad(tokens, (0, 0, 0, 1))
    numbers = {name: _wide(part) for name, part in parts.items()}
    if "g" in parts:
        y = Displacement.apply(tokens, numbers["g"], numbers["h"], out)  # type: ignore[no-untyped-call]
    else:
        column = numbers["c"] if "c" in parts else around(numbers["t"], out, x.shape[-1])
        y = Circulant.apply(tokens, column, out)  # type: ignore[no-untyped-call]
    count = x.numel() // x.shape[-1]
    return y[:count].reshape(*x.shape[:-1], out)  # type: ignore[no-any-return]


def kronecker(x: torch.Tensor, P: torch.Tensor, Q: torch.Tensor) -> torch.Tensor:
    """`(P kron Q) x` as two small products, in the order that takes fewer; P `(out1, in1)`, Q `(out2, in2)`."""
    (out1, in1), (out2, in2) = P.shape, Q.shape
    table = x.reshape(*x.shape[:-1], in1, in2)
    if in1 * out2 * (in2 + out1) <= in2 * out1 * (in1 + out2):
        y = P @ (table @ Q.T)
    else:
        y = (P @ table) @ Q.T
    return y.reshape(*x.shape[:-1], out1 * out2)


def around(t: torch.Tensor, out: int, features: int) -> torch.Tensor:
    """First column of a circulant of size out + in, whose corner `(out, in)` has `t[|i - j|]` in row i and column j."""
    return torch.cat([t[:out], t.new_zeros(1), t[1:features].flip(0)])


def dense(parts: Parts, out: int, features: int) -> torch.Tensor:
    """The matrix M of these parts, `(out, in)`."""
    if "P" in parts:
        return torch.kron(parts["P"], parts["Q"])
    first = next(iter(parts.values()))
    if "g" in parts:
        return multiply(torch.eye(features, dtype=first.dtype, device=first.device), parts, out).T
    gap = torch.arange(out, device=first.device)[:, None] - torch.arange(features, device=first.device)
    return parts["c"][gap % len(first)] if "c" in parts else parts["t"][gap.abs()]


def _wide(tensor: torch.Tensor) -> torch.Tensor:
    """The same in a type that Fourier transforms have."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
