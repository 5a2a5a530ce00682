"""Products with structured matrices, without forming them.

A square structured matrix of size n acts on vectors `x` `(..., in)` through its leading corner `(out, in)`: x is filled
up with zeros, the result is cut. Fourier transforms have no bfloat16: they run in float32 at least.
"""

from __future__ import annotations

import math

import torch
from torch.fft import fft, ifft, irfft, rfft

Parts = dict[str, torch.Tensor]


def wide(tensor: torch.Tensor) -> torch.Tensor:
    """The same in a type that Fourier transforms have."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def circulant(x: torch.Tensor, c: torch.Tensor, out: int) -> torch.Tensor:
    """`y[i] = sum over j of c[(i - j) mod n] x[j]` for i below `out`; c `(n,)`."""
    n = len(c)
    return irfft(rfft(wide(c)) * rfft(wide(x), n), n)[..., :out]


def toeplitz(x: torch.Tensor, t: torch.Tensor, out: int) -> torch.Tensor:
    """`y[i] = sum over j of t[|i - j|] x[j]` for i below `out`; t `(n,)`.

    It is the corner of a circulant of size in + out, so large that nothing is turned into it from the other side.
    """
    t, features = wide(t), x.shape[-1]
    around = torch.cat([t[:out], t.new_zeros(1), t[1:features].flip(0)])
    return circulant(x, around, out)


def skew_circulant(x: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
    """`y[i] = sum over j of h[i - j] x[j]`, `-h[n + i - j]` where j is above i; h `(..., n)` broadcasts with x.

    That is the product of polynomials modulo `z^n + 1`. Turning entry k by `exp(i pi k / n)` makes it one modulo
    `z^n - 1`, which is a Fourier transform. Where n is even, `z^n + 1` is `(z^m - i)(z^m + i)` with m = n / 2, and the
    remainder after the first, `x[k] + i x[k + m]`, says what that after the second is: half the work.
    """
    n = h.shape[-1]
    h, x = wide(h), _padded(wide(x), n)
    m = n if n % 2 else n // 2
    if m < n:
        h, x = torch.complex(h[..., :m], h[..., m:]), torch.complex(x[..., :m], x[..., m:])
    turn = torch.arange(m, dtype=torch.float64, device=h.device) * (math.pi / n)
    turn = torch.polar(torch.ones_like(turn), turn).to(torch.promote_types(h.dtype, torch.complex64))
    y = ifft(fft(h * turn) * fft(x * turn)) * turn.conj()
    return y.real if m == n else torch.cat([y.real, y.imag], dim=-1)


def displacement(x: torch.Tensor, g: torch.Tensor, h: torch.Tensor, out: int) -> torch.Tensor:
    """The sum over i of circulant(g[i]) skew_circulant(h[i]) x, cut to `out`; g and h `(k, n)`.

    Matrices of this form are those of displacement rank k between the two shifts by one that turn around with and
    without a change of sign.
    """
    n = g.shape[-1]
    turned = skew_circulant(x.unsqueeze(-2), h)
    return irfft((rfft(wide(g)) * rfft(turned)).sum(-2), n)[..., :out]


def kronecker(x: torch.Tensor, P: torch.Tensor, Q: torch.Tensor) -> torch.Tensor:
    """`(P kron Q) x` as two small products, in the order that takes fewer; P `(out1, in1)`, Q `(out2, in2)`."""
    (out1, in1), (out2, in2) = P.shape, Q.shape
    table = x.reshape(*x.shape[:-1], in1, in2)
    if in1 * out2 * (in2 + out1) <= in2 * out1 * (in1 + out2):
        y = P @ (table @ Q.T)
    else:
        y = (P @ table) @ Q.T
    return y.reshape(*x.shape[:-1], out1 * out2)


def multiply(x: torch.Tensor, parts: Parts, out: int) -> torch.Tensor:
    """`x M^T` `(..., out)` for `x` `(..., in)` and the matrix M of these parts, named as in `sizes.part_shapes`."""
    if "c" in parts:
        return circulant(x, parts["c"], out)
    if "t" in parts:
        return toeplitz(x, parts["t"], out)
    if "g" in parts:
        return displacement(x, parts["g"], parts["h"], out)
    return kronecker(x, parts["P"], parts["Q"])


def dense(parts: Parts, out: int, features: int) -> torch.Tensor:
    """The matrix M of these parts, `(out, in)`."""
    if "P" in parts:
        return torch.kron(parts["P"], parts["Q"])
    first = next(iter(parts.values()))
    gap = torch.arange(out, device=first.device)[:, None] - torch.arange(features, device=first.device)
    if "c" in parts:
        return parts["c"][gap % len(first)]
    if "t" in parts:
        return parts["t"][gap.abs()]
    units = torch.eye(features, dtype=first.dtype, device=first.device)
    return displacement(units, parts["g"], parts["h"], out).T


def _padded(x: torch.Tensor, n: int) -> torch.Tensor:
    missing = n - x.shape[-1]
    return torch.nn.functional.pad(x, (0, missing)) if missing else x
