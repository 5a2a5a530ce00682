"""What the what-if benchmark trains: recorded runs, and each of them again with one field of its schedule changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from triadapt.config import RunConfig, parse_config
from triadapt.views.what_if.changes import changed

Values = dict[str, Any]

COUNTS = {"triadaptlora": 20, "increlora": 15, "adalora": 15}
"""Recorded runs of each method."""
PAIRS = 4
"""Changes of each recorded run, by turns, so that all kinds are tried about equally often."""
MODES = ("linear", "non-linear", "fixed")


@dataclass(frozen=True)
class Recorded:
    """One recorded run. changes: what is changed in the others, by what kind of change it is."""

    config: RunConfig
    changes: dict[str, Values]

    def config_with(self, kind: str) -> RunConfig:
        """The run with that change."""
        return changed(self.config, self.changes[kind])[0]

    @property
    def again(self) -> RunConfig:
        """The run itself with a learning rate 1 % higher: how much of an allocation hangs on a hair."""
        return parse_config({**self.config.as_dict(), "learning_rate": 1.01 * self.config.learning_rate})

    @property
    def elsewhere(self) -> RunConfig:
        """The run with another seed, which plants other matrices too."""
        return parse_config({**self.config.as_dict(), "seed": self.config.seed + 1000})


def recorded_runs(quick: bool = False) -> list[Recorded]:
    """All recorded runs, of all methods by turns, so that those done first say something of each; `quick`: three."""
    runs = {method: [_recorded(method, i) for i in range(count)] for method, count in COUNTS.items()}
    mixed = [runs[method][i] for i in range(max(COUNTS.values())) for method in runs if i < len(runs[method])]
    return mixed[:3] if quick else mixed


def _recorded(method: str, i: int) -> Recorded:
    rank = 2 + i % 2
    base = {
        "method": method, "seed": 100 + i, "steps": 240, "warmup": 40, "interval": 20, "reference_rank": rank,
        "alpha": 4.0 * rank, "growth": MODES[i % 3], "top_h": 2 + i % 2, "threads": 1, "device": "cpu",
        "eval_every": 10_000, "adalora": {"init_rank_ratio": 2.0},
        "planted": {"blocks": 2 + i // 3 % 3, "width": 32, "planted_fraction": (0.25, 0.5)[i // 2 % 2]},
    }  # fmt: skip
    changes: dict[str, Values] = {
        "interval x 2": {"interval": 40},
        "interval x 3/4": {"interval": 15},
        "interval / 2": {"interval": 10},
        "warm-up x 2": {"warmup": 80},
        "warm-up / 2": {"warmup": 20},
        "budget": {"reference_rank": 5 - rank},
    }
    if method == "triadaptlora":
        changes["growth mode"] = {"growth": MODES[(i + 1) % 3]}
    elif method == "increlora":
        changes["top h x 2"] = {"top_h": 2 * (2 + i % 2)}
    else:
        changes["final share"] = {"adalora.final_share": 0.5}
    kinds = list(changes)
    kept = [kinds[(PAIRS * i + j) % len(kinds)] for j in range(PAIRS)]
    return Recorded(parse_config(base), {kind: changes[kind] for kind in kept})
