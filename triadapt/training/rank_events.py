"""The event of a decision about rank, whoever trains."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from triadapt.events import RankEvent
from triadapt.growth.optimizer_state import optimizer_bytes
from triadapt.methods.interface import RankDecision


def rank_event(
    step: int,
    decision: RankDecision,
    *,
    before: NDArray[np.uint16],
    ranks: NDArray[np.uint16],
    parameters: int,
    optimizer: torch.optim.Optimizer,
) -> RankEvent:
    """before, ranks: of each matrix, `(n,)`, before and after it. parameters: trainable ones, the head's among them."""
    values: dict[str, Any] = {name: getattr(decision, name) for name in ("rule", "threshold", "allowed", "scores")}
    return RankEvent(
        step=step,
        **values,
        chosen=list(decision.chosen),
        total_rank=int(ranks.sum()),
        trainable_parameters=parameters,
        optimizer_bytes=optimizer_bytes(optimizer),
        ranks=ranks,
        before=before,
        unit_scores=decision.unit_scores,
        unit_matrix=decision.unit_matrix,
    )
