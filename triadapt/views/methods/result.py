"""What one finished run came to and what it cost, and results that can be compared with one another."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

BYTES_A_PARAMETER = 4 + 4 + 8
"""Of a trained value in float32: itself, its gradient, and AdamW's two moments."""


@dataclass(frozen=True)
class Result:
    """One finished run. settings: what its configuration has otherwise than others of its method, in words. value: its
    metric at the end. parameters: trainable ones at the end, the head's among them. memory: bytes, see `memory_of`.
    step_seconds: median time of a step. None: not recorded. counts: false for an oracle, which nobody can use.
    but_rate: its settings without the learning rate; None where the rate does not tell runs apart."""

    method: str
    settings: str
    seed: int
    value: float
    parameters: int | None = None
    memory: int | None = None
    step_seconds: float | None = None
    counts: bool = True
    run: str = ""
    but_rate: str | None = None


@dataclass(frozen=True)
class Kind:
    """Results that can be compared: same task and data, metric, steps and batch size. key: its name in an address.
    newest: seconds since 1970 of the newest run. recorded: whether it came with the package; then `what`, `command` and
    `machine` say how it was made."""

    key: str
    title: str
    metric: str
    higher_is_better: bool
    results: tuple[Result, ...]
    newest: float = 0.0
    recorded: bool = False
    what: str = ""
    command: str = ""
    machine: str = ""

    @property
    def methods(self) -> int:
        """How many methods there are."""
        return len({result.method for result in self.results})

    @property
    def label(self) -> str:
        """What a visitor chooses by."""
        counted = f"{counted_in_words(self.methods, 'method')}, {counted_in_words(len(self.results), 'run')}"
        return f"{'Recorded: ' if self.recorded else ''}{self.title} · {counted}"


def memory_of(frozen_bytes: int, parameters: int | None) -> int | None:
    """Bytes of the frozen weights, and of the trained values with their gradients and AdamW's moments. parameters: the
    most that trained at any step. Activations are not counted. None where either is not recorded."""
    return frozen_bytes + BYTES_A_PARAMETER * parameters if frozen_bytes and parameters else None


@dataclass(frozen=True)
class Price:
    """What a method costs. of: that of a result, in units of `scale`. axis: the title of its axis. word: how it is
    called in a sentence, as `at 40 % of its parameters`; less: less of it. form: of a number on the axis (d3)."""

    key: str
    label: str
    axis: str
    word: str
    less: str
    unit: str
    scale: float
    form: str
    of: Callable[[Result], float | None]

    def said(self, price: float) -> str:
        """A price in the units of the axis, as it is told."""
        return f"{f'{price:,.0f}' if self.scale == 1 else f'{price:.3g}'} {self.unit}"


def _scaled(name: str, scale: float) -> Callable[[Result], float | None]:
    def of(result: Result) -> float | None:
        found = getattr(result, name)
        # What was imported before such numbers were refused cannot be drawn.
        return found / scale if found is not None and math.isfinite(found) else None

    return of


PRICES: dict[str, Price] = {
    price.key: price
    for price in (
        Price("parameters", "Parameters", "trainable parameters (fewer is better)", "parameters", "fewer parameters",
              "parameters", 1, ",d", _scaled("parameters", 1)),
        Price("memory", "Memory", "memory of weights and optimizer, MB (less is better)", "memory", "less memory",
              "MB", 1e6, ",.4~g", _scaled("memory", 1e6)),
        Price("time", "Step time", "time of a step, ms (less is better)", "step time", "less time a step",
              "ms", 1e-3, ",.4~g", _scaled("step_seconds", 1e-3)),
    )
}  # fmt: skip
"""By name in the address."""


def counted_in_words(count: int, what: str) -> str:
    """`1 run`, `3 runs`."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")
