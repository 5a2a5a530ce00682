"""What PEFT's tuner of a method does not offer, as a line of its configuration. Free of torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from triadapt.config import AllocationConfig


def no_dropout(config: AllocationConfig, label: str) -> list[str]:
    """A line where dropout is asked of a tuner that has none on its input."""
    if not config.adapter_dropout:
        return []
    return [
        f"adapter_dropout = {config.adapter_dropout}: PEFT's {label} has no dropout on the input of its adapter; "
        f"set it to 0"
    ]


def no_four_bit(config: AllocationConfig, label: str) -> list[str]:
    """A line where the frozen weights are to be held in 4 bits and the tuner cannot read them."""
    task = getattr(config, "task_settings", None)  # what decides about rank alone has none
    if getattr(task, "weights", "") != "4-bit":
        return []
    return [
        f"{getattr(config, 'task', 'task')}.weights = '4-bit': PEFT's {label} adapts no weights in 4 bits; hold them "
        f"in float32 or bfloat16, or choose another method"
    ]
