"""What the comparison of all methods trains: tasks, variants of the methods at stated sizes, rates, seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triadapt.config import RunConfig, parse_config

Values = dict[str, Any]

RATES = (1e-3, 3e-3, 1e-2)
"""Learning rates that every variant is tried at; `lr_scale` of a method stays at its default on top of them."""
PILOT, SEEDS = 100, (0, 1, 2)
"""Seed at which the rate is chosen, and those that the results are of."""
CHOSEN_ON = {"planted": "planted", "sst2": "sst2", "text": "sst2"}
"""The task that the rates of a task are chosen on; a pilot on each would double the time of the two long ones."""
SHORT: Values = {"steps": 120, "warmup": 10, "interval": 5, "top_h": 4, "reference_rank": 2, "batch_size": 16,
                 "eval_every": 60, "geometry_every": 60, "threads": 1}  # fmt: skip


def tasks(data: Path) -> dict[str, Values]:
    """Values of each task; data: folder of the SST-2 files."""
    return {
        "planted": {"task": "planted", "steps": 300, "warmup": 30, "interval": 10, "eval_every": 100,
                    "geometry_every": 100, "threads": 1},
        "text": {**SHORT, "task": "text", "text": {"head_alone": False}},
        "sst2": {**SHORT, "task": "files", "files": {"train": str(data / "train.jsonl"), "text": "sentence",
                                                     "dev": str(data / "dev.jsonl"), "head_alone": False}},
    }  # fmt: skip


def variants(task: str) -> dict[str, Values]:
    """Methods at the sizes they are compared at, by label. Ranks of 2 a matrix are the budget; where a method can be
    had at another size cheaply, it is."""
    found: dict[str, Values] = {
        "LoRA, rank 2": {"method": "lora"},
        "LoRA, rank 8": {"method": "lora", "reference_rank": 8, "alpha": 32.0},
        "TriAdaptLoRA": {"method": "triadaptlora"},
        "IncreLoRA": {"method": "increlora"},
        "AdaLoRA": {"method": "adalora"},
        "QLoRA, rank 2": {"method": "qlora"},
        "Tied-LoRA vBuA, rank 2": {"method": "tiedlora"},
        "Tied-LoRA vBuA, rank 8": {"method": "tiedlora", "tiedlora": {"rank": 8}},
        "VeRA": {"method": "vera"},
        "LoHa, rank 2": {"method": "loha"},
        "AdaMSS": {"method": "adamss"},
        **{f"SURM {name}": {"method": "surm", "surm": {"structure": name}}
           for name in ("circulant", "displacement", "kronecker")},
    }  # fmt: skip
    if task != "planted":
        return found
    # Toeplitz came to the same as circulant here, so the two long tasks do without it.
    return found | {
        "SURM toeplitz": {"method": "surm", "surm": {"structure": "toeplitz"}},
        "LoRA at the truth": {"method": "lora", "lora": {"where": "planted"}},
    }


@dataclass(frozen=True)
class Planned:
    """One run: `variant` on `task`."""

    task: str
    variant: str
    rate: float
    config: RunConfig

    @property
    def key(self) -> str:
        """Names it among others, as the run's name."""
        return f"{self.task} · {self.variant} · {self.rate:g}"


def planned(task: str, data: Path, seeds: tuple[int, ...], rates: Mapping[str, tuple[float, ...]]) -> list[Planned]:
    """Runs of a task, seed by seed; rates: of each variant."""
    base = tasks(data)[task]
    return [
        Planned(task, name, rate, parse_config({**base, **own, "learning_rate": rate, "seed": seed}))
        for seed in seeds
        for name, own in variants(task).items()
        for rate in rates[name]
    ]
