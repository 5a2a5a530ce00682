"""The races of the lessons: small enough to train while a reader waits. Free of Streamlit and torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from triadapt.config import ConfigError, RunConfig, parse_config, put_value
from triadapt.lessons.wrong import PRESETS

SMALL: dict[str, Any] = {
    "task": "planted", "seed": 3, "steps": 300, "warmup": 30, "interval": 10, "eval_every": 10, "planted.blocks": 2,
}  # fmt: skip
"""Twelve matrices, three of them planted, of both kinds under this seed; the default schedule in half the steps."""


CHANGED = "with that changed"
"""What the run of a preset is called in which a suspect was dealt with, whether it was to blame or not."""


@dataclass(frozen=True)
class Entry:
    """A run of a race: what the lesson calls it, its method, its fields by dotted name over those of the race."""

    label: str
    method: str = "triadaptlora"
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LessonRace:
    """runs: at least one. free: whole numbers that the reader may set, with their bounds, and choices. own: of which
    run they are, by its place; None: of all, as the seed is always."""

    runs: tuple[Entry, ...]
    values: dict[str, Any] = field(default_factory=dict)
    free: Mapping[str, tuple[int, int] | tuple[str, ...]] = field(default_factory=dict)
    own: int | None = None

    def configs(self, asked: Mapping[str, Any]) -> list[RunConfig]:
        """One configuration a run. Raises ConfigError with one line for each value that may not be asked for."""
        lines = [line for name, value in asked.items() if (line := self._problem(name, value))]
        if lines:
            raise ConfigError(lines)
        made = []
        for place, run in enumerate(self.runs):
            own = {name: value for name, value in asked.items() if name == "seed" or self.own in (None, place)}
            made.append(parse_config(nested({**SMALL, **self.values, **run.values, **own, "method": run.method})))
        return made

    def _problem(self, name: str, value: Any) -> str:
        allowed = {"seed": (0, 9999), **self.free}.get(name)
        if allowed is None:
            return f"{name} = {value!r}: not open in this lesson; open are {', '.join(['seed', *self.free])}"
        if isinstance(allowed[0], str):
            return "" if value in allowed else f"{name} = {value!r}: choose one of {', '.join(map(str, allowed))}"
        low, high = allowed
        whole = isinstance(value, int) and not isinstance(value, bool)
        return "" if whole and low <= value <= high else f"{name} = {value!r}: a whole number from {low} to {high}"


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Fields by dotted name as tables."""
    tables: dict[str, Any] = {}
    for name, value in flat.items():
        put_value(tables, name, value)
    return tables


RACES: dict[str, LessonRace] = {
    "one-rank": LessonRace(
        (
            Entry("rank 2 everywhere", "lora"),
            Entry("where it is needed", "lora", {"lora.where": "planted"}),
            Entry("TriAdaptLoRA", "triadaptlora"),
        )
    ),
    "prune-or-grow": LessonRace(
        (Entry("AdaLoRA", "adalora"), Entry("TriAdaptLoRA", "triadaptlora"), Entry("IncreLoRA", "increlora"))
    ),
    "capstone": LessonRace(
        (Entry("the default schedule"), Entry("yours")),
        free={
            "warmup": (0, 299), "interval": (1, 299), "growth": ("linear", "non-linear", "fixed"), "top_h": (1, 12),
            "add_r": (1, 8),
        },
        own=1,
    ),
}  # fmt: skip


def repair_race(slug: str, suspect: str) -> LessonRace:
    """The race of a preset that fails, beside the same with a suspect repaired. Raises ConfigError."""
    preset = PRESETS[slug]
    found = next((one for one in preset.suspects if one.name == suspect), None)
    if found is None:
        raise ConfigError(
            [f"suspect = {suspect!r}: choose one of {', '.join(one.name for one in preset.suspects)}"]
        )  # fmt: skip
    return LessonRace((Entry("as found"), Entry(CHANGED, values=found.changes)), preset.values)


def race_configs(slug: str, asked: Mapping[str, Any]) -> list[RunConfig]:
    """What the race of a lesson trains when the reader asks for it with these values. Raises ConfigError."""
    values = dict(asked)
    if slug in PRESETS:
        return repair_race(slug, str(values.pop("suspect", ""))).configs(values)
    if slug not in RACES:
        raise ConfigError([f"lesson = {slug!r}: trains nothing"])
    return RACES[slug].configs(values)


def is_race_of(slug: str, configs: Sequence[RunConfig]) -> bool:
    """Whether these are the configurations of a race that this lesson trains, with whatever its reader may set."""
    if slug in PRESETS:
        asked = [{"suspect": one.name} for one in PRESETS[slug].suspects]
    elif slug in RACES and configs:
        own = configs[RACES[slug].own or 0]
        asked = [{name: getattr(own, name) for name in RACES[slug].free}]
    else:
        return False
    for values in asked:
        with suppress(ConfigError):
            if race_configs(slug, values | {"seed": configs[0].seed}) == list(configs):
                return True
    return False


def race_labels(slug: str) -> list[str]:
    """What the lesson calls the runs of its race, in order."""
    if slug in PRESETS:
        return ["as found", CHANGED]
    return [run.label for run in RACES[slug].runs] if slug in RACES else []
