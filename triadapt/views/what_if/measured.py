"""How often a replay agrees with the run it guesses: what the benchmark measured, shipped beside this module."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triadapt.methods.registry import METHODS

FILE = Path(__file__).with_name("measured.json")


@dataclass(frozen=True)
class Measured:
    """Of one method: `runs` recorded runs, each again under `pairs / runs` other schedules. placed: share of the moved
    rank that a replay puts where the real run does, mean over runs with its 95 % interval. stretched, chance: the same
    for the recorded ranks in the same shares, without a look at the scores, and for as many ranks at random."""

    runs: int
    pairs: int
    placed: tuple[float, float, float]
    stretched: float
    chance: float

    def line(self, method: str) -> str:
        """In words, for the label beside a replay."""
        label = METHODS[method].label if method in METHODS else method
        mean, low, high = (round(100 * share) for share in self.placed)
        return (
            f"Measured on {self.runs} recorded {label} runs of the planted task under {self.pairs} other schedules: "
            f"{mean} % of the rank that moves goes where the real run puts it (95 % interval {low} to {high} %). "
            f"Without the scores, the recorded ranks stretched to the real total give {100 * self.stretched:.0f} %, "
            f"chance {100 * self.chance:.0f} %."
        )


def measured(method: str) -> Measured | None:
    """What was measured for a method; None where nothing was."""
    values: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))["methods"].get(method, {})
    return Measured(**values | {"placed": tuple(values["placed"])}) if values else None
