"""The orthogonality term of AdaLoRA and IncreLoRA."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import torch


def orthogonality(rows: Iterable[torch.Tensor], columns: Iterable[torch.Tensor]) -> torch.Tensor:
    """Mean over all given matrices of `||A A' - I||_F` for A in `rows` `(r, in)` and `||B' B - I||_F` for B in
    `columns` `(out, r)`; a scalar (arXiv 2303.10512, equation 4).

    Matrices of one shape are handled in one batch: this runs at every step, and many small kernels would cost more than
    the adapters themselves.
    """
    groups: dict[torch.Size, list[torch.Tensor]] = defaultdict(list)
    for matrix in [*rows, *(column.T for column in columns)]:
        groups[matrix.shape].append(matrix)
    norms = []
    for matrices in groups.values():
        batch = torch.stack(matrices)
        gram = batch @ batch.mT
        identity = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
        norms.append(torch.linalg.matrix_norm(gram - identity))
    return torch.cat(norms).mean()
