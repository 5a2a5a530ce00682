"""Which rows a step trains on."""

from __future__ import annotations

import numpy as np
import torch


def rows_of_step(step: int, batch_size: int, count: int, seed: int) -> torch.Tensor:
    """Numbers of `batch_size` rows out of `count` for a step: the steps walk through one seeded permutation an epoch,
    end to end. A pure function of its arguments."""
    positions = range(step * batch_size, (step + 1) * batch_size)
    epochs = {
        epoch: _permutation(seed, epoch, count) for epoch in range(positions[0] // count, positions[-1] // count + 1)
    }
    return torch.tensor([int(epochs[position // count][position % count]) for position in positions])


_LAST: dict[tuple[int, int, int], np.ndarray] = {}


def _permutation(seed: int, epoch: int, count: int) -> np.ndarray:
    """The same again for the next step: of a large set it takes longer than the step."""
    key = (seed, epoch, count)
    if key not in _LAST:
        if len(_LAST) > 3:
            _LAST.clear()
        _LAST[key] = np.random.default_rng([seed, epoch]).permutation(count)
    return _LAST[key]
