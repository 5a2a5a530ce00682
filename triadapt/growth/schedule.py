"""When rank changes, and how much: the schedules of TriAdaptLoRA and AdaLoRA.

Steps are optimizer steps counted from 0.
"""

from __future__ import annotations

import math
from typing import Literal

GrowthMode = Literal["linear", "non-linear", "fixed"]


def is_event(step: int, *, init_warmup: int, interval: int) -> bool:
    """Whether growth may happen at `step`: past the warm-up and on a multiple of the interval (arXiv 2501.08008)."""
    return step > init_warmup and step % interval == 0


def event_steps(*, init_warmup: int, interval: int, total_step: int) -> list[int]:
    """All steps below `total_step` at which growth may happen."""
    first = (init_warmup // interval + 1) * interval
    return list(range(first, total_step, interval))


def matrices_to_grow(
    mode: str,
    *,
    step: int,
    init_warmup: int,
    total_step: int,
    target_total_rank: int,
    total_rank: int,
    num_matrices: int,
    top_h: int = 1,
) -> int:
    """How many matrices may grow at an event (the dynamic threshold of arXiv 2501.08008).

    With progress `p = (step - init_warmup) / (total_step - init_warmup)` and `gap = target_total_rank - total_rank`:
    `linear` gives `int(gap * p)`, `non-linear` gives `int(exp(p * ln(gap)))`, `fixed` gives `top_h`; all clamped to
    1..num_matrices. Returns 0 when no gap is left.

    Raises ValueError for an unknown mode or a warm-up that is not below the end.
    """
    if total_step <= init_warmup:
        raise ValueError(f"warmup = {init_warmup}: must be below the number of steps ({total_step})")
    gap = target_total_rank - total_rank
    if gap <= 0:
        return 0
    progress = (step - init_warmup) / (total_step - init_warmup)
    if mode == "linear":
        count = int(gap * progress)
    elif mode == "non-linear":
        count = int(math.exp(progress * math.log(gap)))
    elif mode == "fixed":
        count = top_h
    else:
        raise ValueError(f"growth = {mode!r}: must be linear, non-linear or fixed")
    return max(1, min(count, num_matrices))


def adalora_budget(step: int, *, init_total: int, target_total: int, tinit: int, tfinal: int, total_step: int) -> int:
    """Total rank AdaLoRA allows at `step` (arXiv 2303.10512, equation 12).

    `init_total` up to and including `tinit`, a cubic decay, and `target_total` in the last `tfinal` steps (a duration).
    """
    if step <= tinit:
        return init_total
    if step > total_step - tfinal:
        return target_total
    remaining = 1 - (step - tinit) / (total_step - tfinal - tinit)
    return int((init_total - target_total) * remaining**3 + target_total)
