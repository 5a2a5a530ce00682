"""Singular values of low-rank updates without forming them."""

from __future__ import annotations

import torch


def product_singular_values(B: torch.Tensor, core: torch.Tensor | None, A: torch.Tensor) -> torch.Tensor:
    """Singular values of `B core A`, `(r,)`, largest first, in float32 on the CPU.

    B is `(out, r)`, core `(r, r)` or None for the identity, A `(r, in)`. Cost is that of two thin QR factorisations.
    Ranks above the matrix's own size give zeros at the end.
    """
    B, A = B.detach().float().cpu(), A.detach().float().cpu()
    rank = A.shape[0]
    if rank == 0:
        return torch.zeros(0)
    right = torch.linalg.qr(A.T, mode="r").R
    left = torch.linalg.qr(B, mode="r").R
    middle = left if core is None else left @ core.detach().float().cpu()
    values = torch.linalg.svdvals(middle @ right.T)
    return torch.cat([values, values.new_zeros(rank - len(values))])
