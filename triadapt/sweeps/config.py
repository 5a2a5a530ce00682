"""SweepConfig: what a study tries, validated, TOML in and out, one line for each wrong field.

The names of the swept fields and their values are checked against `RunConfig` in `triadapt.sweeps.space`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from triadapt.config import ConfigError, RunConfig, validated
from triadapt.methods.registry import METHODS
from triadapt.runs.info import Scalar
from triadapt.tasks.registry import TASKS

Sampler = Literal["grid", "random", "tpe"]
FEWEST_SEEDS = 3
"""Seeds a point below which nothing is said to be clear."""
MOST_VALUES = 10_000


class Range(BaseModel):
    """Every value between `low` and `high`, both included; in whole numbers where both are. `step`: only every so
    many. `log`: evenly in the logarithm."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    low: int | float
    high: int | float
    step: int | float | None = Field(None, gt=0)
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether its values are whole numbers."""
        return all(isinstance(value, int) for value in (self.low, self.high, self.step or 1))

    def values(self) -> tuple[int | float, ...] | None:
        """All of its values in order; None where they cannot be listed: real numbers without a step, or too many."""
        step = self.step or (1 if self.whole else None)
        if step is None:
            return None
        steps = (self.high - self.low) / step + 1e-9  # infinite for a step that is next to nothing
        if not steps < MOST_VALUES:
            return None
        found = [self.low + i * step for i in range(int(steps) + 1)]
        # 0.1 + 2 * 0.1 must not be called 0.30000000000000004 in a table.
        return tuple(dict.fromkeys(value if isinstance(value, int) else float(f"{value:.12g}") for value in found))


Values = tuple[Scalar, ...] | Range


class RaySection(BaseModel):
    """What a trial asks of a Ray cluster."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    address: str = Field("auto", description="Address of a cluster that runs; auto: the one of this machine.")
    cpus: float = Field(1, gt=0, le=1024, description="CPU cores a trial.")
    gpus: float = Field(0, ge=0, le=64, description="GPUs a trial; a part of one lets trials share it.")


class SweepConfig(BaseModel):
    """A study: `base` with every point of `space`, each with every seed.

    A point is one choice of a value for every swept field; a trial is a point with one seed, which is one run.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str = Field("", max_length=120, description="Name of the study in lists.")
    base: dict[str, Any] = Field(default_factory=dict, description="The run that the points vary, as RunConfig has it.")
    space: dict[str, Values] = Field(
        default_factory=dict, description="By dotted field name: a list of values, or low and high (step, log)."
    )
    seeds: int | tuple[int, ...] = Field(3, description="How many seeds a point, from that of base on; or the seeds.")
    sampler: Sampler = Field("grid", description="grid: every point; random; tpe: where earlier points did well.")
    points: int | None = Field(None, ge=1, le=100_000, description="How many points random and tpe try.")
    skip_invalid: bool = Field(False, description="Leave out points of a grid that no run could be made of.")
    prune: bool = Field(False, description="End trials that are worse than the median of those with the same seed.")
    stop_when_clear: bool = Field(False, description="End the study once one point is clearly the best.")
    workers: int = Field(0, ge=0, le=256, description="Trials at a time; 0: as many as there are cores for.")
    on: Literal["local", "ray"] = Field("local", description="Where the trials run.")
    ray: RaySection = Field(default_factory=RaySection, description="What a trial asks of a Ray cluster.")

    @field_validator("space", mode="before")
    @classmethod
    def _readable_space(cls, value: Any) -> Any:
        return _space(value)

    @field_validator("seeds", mode="before")
    @classmethod
    def _readable_seeds(cls, value: Any) -> Any:
        return _seeds(value)

    @model_validator(mode="after")
    def _fields_agree(self) -> SweepConfig:
        lines = _disagreements(self)
        if lines:
            raise ConfigError(lines)
        return self

    @property
    def seed_list(self) -> tuple[int, ...]:
        """The seeds of a point, in the order in which they are run."""
        if isinstance(self.seeds, tuple):
            return self.seeds
        first = self.base.get("seed", RunConfig.model_fields["seed"].default)
        # What is no seed is named when the points are checked.
        return tuple((first if isinstance(first, int) else 0) + i for i in range(self.seeds))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, without what has none."""
        return self.model_dump(mode="json", exclude_none=True)

    def to_toml(self) -> str:
        """The configuration as TOML text that `parse_sweep` reads back to an equal one."""
        return tomli_w.dumps(self.as_dict())


def parse_sweep(data: Mapping[str, Any]) -> SweepConfig:
    """Validate plain values by themselves. Raises ConfigError with one line a wrong field."""
    fields = SweepConfig.model_fields
    misplaced = [name for name in data if name not in fields and name in RunConfig.model_fields]
    if misplaced:
        raise ConfigError(
            [f"{name}: a field of a run; put it in [base] with one value, or in [space] with several"
             for name in misplaced]
        )  # fmt: skip
    return validated(SweepConfig, data)


def _space(value: Any) -> dict[str, Values]:
    """By dotted name; a table such as `adalora.final_share` may be nested or not."""
    if not isinstance(value, Mapping):
        raise ConfigError([f"space = {value!r}: must be a table of fields"])
    found: dict[str, Values] = {}
    lines: list[str] = []
    for name, given in value.items():
        if isinstance(given, Mapping) and name in {*METHODS, *TASKS}:
            inner = {f"{name}.{field}": values for field, values in given.items()}
        else:
            inner = {name: given}
        for field, values in inner.items():
            try:
                found[field] = _values(field, values)
            except ConfigError as error:
                lines += error.lines
    if lines:
        raise ConfigError(lines)
    # Ranges last, where TOML has tables: a study that is read back has its points in the same order.
    return dict(sorted(found.items(), key=lambda item: isinstance(item[1], Range)))


def _values(name: str, given: Any) -> Values:
    """The values of one field. Raises ConfigError."""
    if isinstance(given, Range):
        return given
    if isinstance(given, Mapping):
        return _range(name, given)
    if not isinstance(given, list | tuple):
        raise ConfigError([f"space.{name} = {given!r}: must be a list of values, or a table of low and high"])
    wrong = [value for value in given if not isinstance(value, bool | int | float | str)]
    if wrong:
        raise ConfigError([f"space.{name}: {wrong[0]!r} is not a value; list numbers, texts or true and false"])
    if not given:
        raise ConfigError([f"space.{name} = []: names no value; list at least one"])
    twice = [value for i, value in enumerate(given) if value in given[:i]]
    if twice:
        raise ConfigError([f"space.{name}: {twice[0]!r} is listed twice"])
    return tuple(given)


def _range(name: str, given: Mapping[str, Any]) -> Range:
    for part in ("low", "high", "step"):
        value = given.get(part, 1)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError([f"space.{name}.{part} = {value!r}: must be a number"])
    missing = [part for part in ("low", "high") if part not in given]
    if missing:
        raise ConfigError([f"space.{name}: a range needs low and high; {missing[0]} is missing"])
    try:
        found = validated(Range, given)
    except ConfigError as error:
        raise ConfigError([f"space.{name}.{line}" for line in error.lines]) from None
    if found.low >= found.high:
        raise ConfigError([f"space.{name}: low = {found.low!r} must be below high = {found.high!r}"])
    if not math.isfinite(float(found.high) - float(found.low)):
        raise ConfigError([f"space.{name}: low = {found.low!r} and high = {found.high!r} are too far apart"])
    if found.step is not None and found.values() is None:
        raise ConfigError(
            [f"space.{name}: step = {found.step!r} makes more than {MOST_VALUES} values; raise it, or leave it out"]
        )
    if found.log and found.step is not None:
        raise ConfigError([f"space.{name}: step and log = true do not go together; leave one out"])
    if found.log and found.low <= 0:
        raise ConfigError([f"space.{name}: low = {found.low!r} must be above 0 where log = true"])
    return found


def _seeds(value: Any) -> Any:
    if isinstance(value, list | tuple):
        wrong = [seed for seed in value if not _is_seed(seed)]
        if wrong:
            raise ConfigError([f"seeds: {wrong[0]!r} is not a seed; list whole numbers from 0 to {2**31 - 1}"])
        if not value:
            raise ConfigError(["seeds = []: names no seed; list at least one, or say how many"])
        twice = [seed for i, seed in enumerate(value) if seed in value[:i]]
        if twice:
            raise ConfigError([f"seeds: {twice[0]!r} is listed twice"])
        return tuple(value)
    if type(value) is int and 1 <= value <= 1000:
        return value
    raise ConfigError([f"seeds = {value!r}: must be how many (1 to 1000), or a list of seeds"])


def _is_seed(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**31


def _disagreements(config: SweepConfig) -> list[str]:
    """One line for each choice that does not go with another."""
    lines = []
    if not config.space:
        lines.append("space: names no field; list values of at least one, such as warmup = [20, 60]")
    if config.sampler == "grid":
        if config.points is not None:
            lines.append(
                f"points = {config.points}: a grid has as many points as its values make; leave it out, or use sampler "
                f'= "random"'
            )
        for name, values in config.space.items():
            if isinstance(values, Range) and values.values() is None:
                why = (
                    f"so many whole numbers (at most {MOST_VALUES}) are no grid"
                    if values.whole
                    else "a grid needs values"
                )
                lines.append(f'space.{name}: {why}; list them, or give step, or use sampler = "random" or "tpe"')
    elif config.points is None:
        lines.append(f'points: missing; sampler = "{config.sampler}" needs to know how many points to try')
    lines += _no_values("base", config.base)
    count = len(config.seed_list)
    first = config.base.get("seed", 0)
    if not _is_seed(first):
        lines.append(f"base.seed = {first!r}: must be a whole number from 0 to {2**31 - 1}")
    elif not _is_seed(config.seed_list[-1]):
        lines.append(f"seeds = {count}: from base.seed = {first} on they go beyond {2**31 - 1}; lower base.seed")
    if config.stop_when_clear and config.sampler == "tpe":
        lines.append(
            'stop_when_clear = true: does not go with sampler = "tpe", which chooses points as it goes; use "grid" or '
            '"random"'
        )
    elif config.stop_when_clear and count <= FEWEST_SEEDS:
        lines.append(
            f"stop_when_clear = true: looks from {FEWEST_SEEDS} seeds a point on, so with seeds = {count} there is "
            f"nothing to save; give at least {FEWEST_SEEDS + 1}"
        )
    return lines


def _no_values(name: str, value: Any) -> list[str]:
    """One line for each date or infinity, under a field that is swept too."""
    if isinstance(value, Mapping):
        return [line for inner, of in value.items() for line in _no_values(f"{name}.{inner}", of)]
    if isinstance(value, list | tuple):
        return [line for of in value for line in _no_values(name, of)]
    known = isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value))
    return [] if known else [f"{name} = {value!r}: must be a number, a text, or true or false"]
