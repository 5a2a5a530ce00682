"""What the evidence benchmark runs: settings of the task, variants of the method, seeds. One factor at a time."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from triadapt.config import RunConfig, parse_config

Values = dict[str, Any]

DEFAULT, PUBLISHED, LORA = "TriAdaptLoRA", "as published, gaussian", "LoRA"
SEEDS = {"base": 10, "settings": 10, "checks": 5, "text": 3, "separation": 5, "steered": 5}
SEPARATION = "separation"
QUIET = {"eval_every": 10_000, "geometry_every": 10_000, "scores_every": 10_000, "threads": 1, "device": "cpu"}
SHORT = {"steps": 300, "warmup": 30, "interval": 10}


@dataclass(frozen=True)
class Planned:
    """One run: `variant` in `setting` with `seed`. Runs with equal seed and setting share the task and its data."""

    part: str
    setting: str
    variant: str
    config: RunConfig
    study: str = ""
    """Beyond a plain run: `SEPARATION`, or the name of the importance that steers growth."""

    @property
    def key(self) -> str:
        """Names the configuration; how it is run (threads, device, recording) does not count."""
        values = {name: value for name, value in self.config.as_dict().items() if name not in QUIET}
        text = json.dumps(values, sort_keys=True) + self.study
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def triadapt(**values: str) -> Values:
    """TriAdaptLoRA with these settings of its section."""
    return {"method": "triadaptlora", "triadaptlora": values}


def published(init: str) -> Values:
    """TriAdaptLoRA as the authors' code computes, with one of its initialisations."""
    return triadapt(behaviour="reference", scale="rank", init=init)


METHODS: dict[str, Values] = {
    DEFAULT: triadapt(),
    PUBLISHED: published("gaussian"),
    "IncreLoRA": {"method": "increlora"},
    "AdaLoRA": {"method": "adalora"},
    LORA: {"method": "lora"},
}
INITS: dict[str, Values] = {f"init {init}": triadapt(init=init) for init in ("eye", "zero_core", "gaussian")}
FACTORS: dict[str, Values] = {
    DEFAULT: triadapt(),
    **INITS,
    "scale rank": triadapt(scale="rank"),
    "growth non-linear": {**triadapt(), "growth": "non-linear"},
    "growth fixed (2)": {**triadapt(), "growth": "fixed", "top_h": 2},
    "behaviour reference": triadapt(behaviour="reference"),
    "as published, eye": published("eye"),
    "as published, zero_core": published("zero_core"),
    PUBLISHED: published("gaussian"),
    "IncreLoRA": {"method": "increlora"},
    "IncreLoRA as published": {"method": "increlora", "increlora": {"behaviour": "reference", "scale": "rank"}},
    "AdaLoRA": {"method": "adalora"},
    LORA: {"method": "lora"},
}
SETTINGS: dict[str, Values] = {
    "short": {},
    "small": {"planted": {"blocks": 2, "width": 32}},
    "deep": {"planted": {"blocks": 6}},
    "planted 10 %": {"planted": {"planted_fraction": 0.1}},
    "planted 50 %": {"planted": {"planted_fraction": 0.5}},
    "strength 0.3": {"planted": {"strength": 0.3}},
    "strength 3": {"planted": {"strength": 3.0}},
}
# What one may doubt: does the order hold at other learning rates, and for blocks of two ranks (the authors' add_r is
# half the reference rank), where dividing alpha by the rank and by the number of blocks are two things?
CHECKS: dict[str, tuple[Values, dict[str, Values]]] = {
    "rate 0.0025": ({"learning_rate": 0.0025}, {DEFAULT: triadapt(), **INITS, LORA: {"method": "lora"}}),
    "rate 0.01": ({"learning_rate": 0.01}, {DEFAULT: triadapt(), **INITS, LORA: {"method": "lora"}}),
    "budget 4, add_r 2": (
        {"reference_rank": 4, "add_r": 2, "alpha": 16},
        {
            DEFAULT: triadapt(),
            "scale rank": triadapt(scale="rank"),
            "scale blocks": triadapt(scale="blocks"),
            PUBLISHED: published("gaussian"),
            LORA: {"method": "lora"},
        },
    ),
}
TEXT_METHODS = {name: values for name, values in METHODS.items() if name != PUBLISHED}
# Two matrices an event, as everywhere else, would leave half the budget of 36 matrices unused.
TEXT_METHODS["IncreLoRA"] = {"method": "increlora", "top_h": 6}
TEXT = {"task": "text", "steps": 120}


SEPARATION_SETTINGS = ("short", "planted 10 %", "planted 50 %", "strength 0.3")
SEPARATION_METHODS = {name: values for name, values in METHODS.items() if name != LORA}
STEERED_SETTINGS: dict[str, Values] = {
    "short": {},
    "planted 10 %": SETTINGS["planted 10 %"],
    "planted rank 2": {"planted": {"planted_rank": 2, "planted_fraction": 0.5}},
}
STEERED = (
    "rise of ||L + U||, growth not counted", "||L + U||", "||dW||", "||dW|| over the rank", "||G|| over its noise",
    "at random", "the truth",
)  # fmt: skip

# Of a grid: setting, its values, the variants with theirs, the studies made of each.
Grid = tuple[str, Values, dict[str, Values], tuple[str, ...]]
GRIDS: dict[str, list[Grid]] = {
    "base": [("default", {}, FACTORS, ("",))],
    "settings": [(name, {**SHORT, **values}, METHODS, ("",)) for name, values in SETTINGS.items()],
    "checks": [(name, {**SHORT, **values}, variants, ("",)) for name, (values, variants) in CHECKS.items()],
    "text": [("text", TEXT, TEXT_METHODS, ("",))],
    "separation": [
        (name, {**SHORT, **SETTINGS[name]}, SEPARATION_METHODS, (SEPARATION,)) for name in SEPARATION_SETTINGS
    ],
    "steered": [
        (name, {**SHORT, **values}, {DEFAULT: triadapt()}, ("", *STEERED)) for name, values in STEERED_SETTINGS.items()
    ],
}


def plan(parts: tuple[str, ...], *, seeds: int | None = None, quick: bool = False) -> list[Planned]:
    """The runs of these parts in the order to run them: seed by seed, so that an unfinished plan is balanced.

    `seeds` replaces the number of seeds of every part; `quick` cuts runs to a few steps. Parts may ask for the same
    run, which then has the same key.
    """
    planned = []
    for part in parts:
        for seed in range(seeds or (2 if quick else SEEDS[part])):
            for setting, values, variants, studies in GRIDS[part]:
                for variant, own in variants.items():
                    cut = {"steps": 24, "warmup": 6, "interval": 3} if quick else {}
                    config = parse_config({**QUIET, **values, **own, **cut, "seed": seed})
                    planned += [Planned(part, setting, variant, config, study) for study in studies]
    return planned
