"""What the frozen model reaches with a trained head and no adapter."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

LEARNING_RATE = 1e-3


def head_alone(
    head: nn.Module,
    features: torch.Tensor,
    labels: torch.Tensor,
    order: list[torch.Tensor],
    dev_features: torch.Tensor,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Train `head` in place by AdamW with linear decay.

    features `(rows, hidden)` and labels `(rows,)` of the training rows; `order[t]` the row numbers of step t. Returns
    its outputs for the held-out rows.
    """
    optimizer = torch.optim.AdamW(head.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    with torch.enable_grad():
        for step, rows in enumerate(order):
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * (1 - step / len(order))
            optimizer.zero_grad()
            torch.autograd.backward(loss(head(features[rows]), labels[rows]))
            optimizer.step()
    head.eval()
    with torch.no_grad():
        return head(dev_features)
