"""What the drivers of methods share whose dW has no rank that anybody chose."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from triadapt.methods.effective_rank import effective_rank
from triadapt.methods.peft_run import PeftRun

MOST_SINGULAR = 64
"""Singular values of a matrix that are recorded; all of them would fill the file."""


class MeasuredRun(PeftRun):
    """`ranks()` is the effective rank of every dW as it was last measured, by `geometry()`; 0 before.

    dW is formed to be measured, one matrix after the other, never in a step of training.
    """

    measured: NDArray[np.uint16] | None = None

    def ranks(self) -> NDArray[np.uint16]:
        if self.measured is None:
            self.measured = np.zeros(len(self.layers), np.uint16)
        return self.measured

    def recorded_ranks(self) -> NDArray[np.uint16]:
        return np.array([min(*matrix.shape, MOST_SINGULAR) for matrix in self.matrices], np.uint16)

    @torch.no_grad()
    def geometry(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        spectra = [
            torch.linalg.svdvals(layer.get_delta_weight(self.adapter).detach().float()).cpu() for layer in self.layers
        ]
        self.measured = np.array([effective_rank(values.numpy()) for values in spectra], np.uint16)
        kept = [values[:count] for values, count in zip(spectra, self.recorded_ranks(), strict=True)]
        return torch.cat(kept).numpy(), np.zeros(0, np.float32)

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, object]]:
        return {}, {"measured": [int(rank) for rank in self.ranks()]}

    def load_state(self, tensors: dict[str, torch.Tensor], extra: dict[str, object]) -> None:
        held = extra["measured"]
        assert isinstance(held, list)
        self.measured = np.array(held, np.uint16)
