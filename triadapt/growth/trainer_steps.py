"""Optimizer steps of a training from epochs and rows, counted as the Trainer of transformers counts them.

`Trainer.set_initial_training_values` (transformers 5) divides the batches of an epoch by the accumulation, rounded up,
and multiplies by the epochs, rounded up. How many batches one of several processes gets is
`BatchSamplerShard.__len__` of accelerate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

FEW_STEPS = 10
MOST = {"epochs": 1e6, "rows": 10**12, "batch_size": 10**6, "accumulation": 10**6, "processes": 10**5}


@dataclass(frozen=True)
class TrainerSteps:
    """epochs, rows, `per_device_train_batch_size`, `gradient_accumulation_steps`, how many processes train, and
    `dataloader_drop_last`. Raises ValueError with one line naming the field, its value and what is allowed."""

    epochs: float
    rows: int
    batch_size: int
    accumulation: int = 1
    processes: int = 1
    drop_last: bool = False

    def __post_init__(self) -> None:
        for name, most in MOST.items():
            value = getattr(self, name)
            low = "above 0" if name == "epochs" else "at least 1"
            if not (value > 0 if name == "epochs" else value >= 1) or value > most:
                raise ValueError(f"{name} = {value:g}: must be {low} and at most {most:g}")
        if self.batches == 0:
            raise ValueError(
                f"rows = {self.rows}: fewer than one batch of {self.batch_size} for each of {self.processes} "
                f"process{'es' if self.processes > 1 else ''}, and the rest is dropped; lower batch_size"
            )

    @property
    def all_batches(self) -> int:
        """Batches of an epoch, over all processes."""
        return self.rows // self.batch_size if self.drop_last else -(-self.rows // self.batch_size)

    @property
    def batches(self) -> int:
        """Batches of an epoch that one process sees."""
        return self.all_batches // self.processes if self.drop_last else -(-self.all_batches // self.processes)

    @property
    def steps_per_epoch(self) -> int:
        """Optimizer steps of an epoch; what is left over at its end makes a step too."""
        return -(-self.batches // self.accumulation)

    @property
    def steps(self) -> int:
        """Optimizer steps of the training."""
        return math.ceil(self.epochs * self.steps_per_epoch)

    def batches_a_step(self, number: int) -> int | None:
        """Batches in an optimizer step, if `number`, given in steps, can only have been meant in batches."""
        counts = ((self.batches, self.accumulation), (self.all_batches, self.accumulation * self.processes))
        for batches, a_step in counts:
            if 1 < a_step <= number and self.steps <= number <= self.epochs * batches:
                return a_step
        return None

    def looks_like_epochs(self, number: int) -> bool:
        """Whether `number`, given in steps, is so small beside an epoch that epochs were meant more likely."""
        return 0 < number < self.epochs and self.steps_per_epoch >= FEW_STEPS

    def line(self) -> str:
        """The arithmetic in one line."""
        turn = "rounded down" if self.drop_last else "rounded up"
        batches = f"{self.rows:,} rows / {self.batch_size} a batch"
        if self.processes > 1:
            batches += f" / {self.processes} processes"
        text = f"{batches}, {turn}: {self.batches:,} batches an epoch"
        if self.accumulation > 1:
            text += f"; / {self.accumulation} accumulated, rounded up: {self.steps_per_epoch:,} optimizer steps"
        return f"{text}; x {self.epochs:g} epochs: {self.steps:,} optimizer steps"
