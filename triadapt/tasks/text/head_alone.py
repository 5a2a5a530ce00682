"""What the frozen encoder reaches with a trained head and no adapter."""

from __future__ import annotations

import torch
from torch import nn

LEARNING_RATE = 1e-3


def head_alone_accuracy(
    head: nn.Module,
    features: torch.Tensor,
    labels: torch.Tensor,
    order: list[torch.Tensor],
    dev_features: torch.Tensor,
    dev_labels: torch.Tensor,
) -> float:
    """Train `head` in place by AdamW with linear decay and score it.

    features `(rows, hidden)` and labels `(rows,)` of the training rows; `order[t]` the row numbers of step t; the dev
    tensors likewise. Returns the share of dev rows that are right.
    """
    optimizer = torch.optim.AdamW(head.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    with torch.enable_grad():
        for step, rows in enumerate(order):
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * (1 - step / len(order))
            optimizer.zero_grad()
            nn.functional.cross_entropy(head(features[rows]), labels[rows]).backward()
            optimizer.step()
    with torch.no_grad():
        return share_right(head(dev_features), dev_labels)


def share_right(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """Accuracy of logits `(rows, classes)` against labels `(rows,)`."""
    return int((logits.argmax(-1) == labels).sum()) / len(labels)
