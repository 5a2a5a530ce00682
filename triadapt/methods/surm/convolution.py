"""Products with circulants and skew-circulants by Fourier transforms, and their gradients.

The gradients are written out because autograd keeps the transform of every input, and goes back through a real
transform by way of a complex one twice its size. Here only the input itself is kept; its transform is made again.
Transforms have no bfloat16: everything here is float32 or float64.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.fft import fft, ifft, irfft, rfft
from torch.nn.functional import pad


class Circulant(torch.autograd.Function):
    """`y[i] = sum over j of c[(i - j) mod n] x[j]` for i below `out`: x `(tokens, in)`, c `(n,)`, y `(tokens, out)`."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, c: torch.Tensor, out: int) -> torch.Tensor:
        ctx.save_for_backward(x, c)
        n = len(c)
        y: torch.Tensor = irfft(rfft(x, n).mul_(rfft(c)), n)
        return y[:, :out]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None, None]:
        x, c = ctx.saved_tensors
        n, features = len(c), x.shape[1]
        dx = dc = None
        back = rfft(dy, n)
        if ctx.needs_input_grad[1]:
            dc = irfft(torch.linalg.vecdot(rfft(x, n), back, dim=0), n)
        if ctx.needs_input_grad[0]:
            dx = irfft(back.mul_(rfft(c).conj()), n)[:, :features]
        return dx, dc, None


class Displacement(torch.autograd.Function):
    """The sum over i of circulant(g[i]) skew_circulant(h[i]) x, cut to `out`: x `(tokens, in)`, g and h `(k, n)`.

    A skew-circulant has h[i - j] in row i and column j, and `-h[n + i - j]` above the diagonal.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, g: torch.Tensor, h: torch.Tensor, out: int) -> torch.Tensor:
        ctx.save_for_backward(x, g, h)
        n = g.shape[1]
        skew = Skew(n, x)
        X = skew.transform(x)
        Y = torch.zeros((), device=x.device)
        for G, H in zip(rfft(g), skew.transform(h), strict=True):
            Y = Y + rfft(skew.back(X * H)).mul_(G)
        y: torch.Tensor = irfft(Y, n)
        return y[:, :out]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, None]:
        x, g, h = ctx.saved_tensors
        n, features = g.shape[1], x.shape[1]
        skew = Skew(n, x)
        X, back = skew.transform(x), rfft(dy, n)
        dX = torch.zeros((), device=x.device)
        dG, dH = [], []
        for G, H in zip(rfft(g), skew.transform(h), strict=True):
            dG.append(torch.linalg.vecdot(rfft(skew.back(X * H)), back, dim=0))
            between = skew.transform(irfft(back * G.conj(), n))
            dH.append(torch.linalg.vecdot(X, between, dim=0))
            dX = dX + between.mul_(H.conj())
        return skew.back(dX)[:, :features], irfft(torch.stack(dG), n), skew.back(torch.stack(dH)), None


class Skew:
    """The transform in which a skew-circulant of size n is a product entry by entry.

    It multiplies polynomials modulo `z^n + 1`. Turning entry k by `exp(i pi k / n)` makes that modulo `z^n - 1`, for
    which the transform is Fourier's. Where n is even, `z^n + 1` is `(z^m - i)(z^m + i)` with m = n / 2, and of real
    polynomials the remainder after the first, `x[k] + i x[k + m]`, tells the second: half the work.
    """

    def __init__(self, n: int, like: torch.Tensor) -> None:
        self.n = n
        self.m = n if n % 2 else n // 2
        angle = torch.arange(self.m, dtype=torch.float64, device=like.device) * (math.pi / n)
        turn = torch.polar(torch.ones_like(angle), angle)
        self.turn = turn.to(torch.complex128 if like.dtype == torch.float64 else torch.complex64)

    def transform(self, x: torch.Tensor) -> torch.Tensor:
        """`(..., m)` of `x` `(..., up to n)`."""
        if x.shape[-1] <= self.m:  # always where n is odd
            turned = pad(x, (0, self.m - x.shape[-1])) * self.turn
        else:
            turned = torch.complex(x[..., : self.m], pad(x[..., self.m :], (0, self.n - x.shape[-1]))) * self.turn
        X: torch.Tensor = fft(turned)
        return X

    def back(self, X: torch.Tensor) -> torch.Tensor:
        """`(..., n)`, real, of `X` `(..., m)`."""
        x: torch.Tensor = ifft(X) * self.turn.conj()
        return x.real if self.m == self.n else torch.cat([x.real, x.imag], dim=-1)
