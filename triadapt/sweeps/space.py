"""From a space to points, and from a point to a run's configuration. Everything is checked before anything runs."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from pydantic import ValidationError

from triadapt.config import ConfigError, RunConfig, parse_config
from triadapt.growth.preview import preview
from triadapt.methods.registry import METHODS
from triadapt.runs.changes import with_values
from triadapt.runs.info import Scalar
from triadapt.sweeps.config import Range, SweepConfig, Values
from triadapt.sweeps.fields import uses, wrong_fields, wrong_values
from triadapt.tasks.registry import KNOWN_TASKS

Point = dict[str, Scalar]

MOST_POINTS = 10_000
MOST_TRIALS = 10_000
MOST_LINES = 20
DRAWS = 200
MOST_GLANCES = 100


@dataclass(frozen=True)
class Plan:
    """What a study will try. points: those of a grid; None where a sampler has yet to choose. count: how many in all.
    left_out: one line for each reason for which points were left out, no run of which could be made."""

    points: tuple[Point, ...] | None
    count: int
    left_out: tuple[str, ...] = ()


def key(point: Mapping[str, Scalar]) -> str:
    """The same text for equal points."""
    return json.dumps(point, sort_keys=True)


def told(point: Mapping[str, Scalar]) -> str:
    """A point in words: `TriAdaptLoRA, warmup = 20, interval = 5`."""
    words = [METHODS[str(value)].label if name == "method" else f"{name} = {_number(value)}"
             for name, value in point.items()]  # fmt: skip
    return ", ".join(words)


def _number(value: Scalar) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def run_config(config: SweepConfig, point: Mapping[str, Scalar], seed: int) -> RunConfig:
    """The run of a point with a seed. Raises ConfigError."""
    data = with_values(config.base, point)
    return parse_config({**data, "seed": seed})


def without_unused(config: RunConfig, point: Mapping[str, Scalar]) -> Point:
    """The point without the fields that its method does not look at: every warm-up gives the same plain LoRA, which
    must neither be trained five times nor be drawn as five results."""
    return {name: value for name, value in point.items() if uses(config, name)}


def plan(config: SweepConfig) -> Plan:
    """Check every field, value and point, and say what will be tried.

    Raises ConfigError: a line for each wrong field or value; or for each point of which no run can be made, unless
    `skip_invalid` leaves these out; or one line when there is no other point.
    """
    lines = list(wrong_fields(config)) or list(wrong_values(config))
    if lines:
        raise ConfigError(lines)
    found = _planned(config)
    if config.on == "local" and (lines := _wrong_data(config)):
        raise ConfigError(lines)
    trials = found.count * len(config.seed_list)
    if trials > MOST_TRIALS:
        raise ConfigError(
            [f"seeds: {found.count} points with {len(config.seed_list)} seeds each are {trials} trials; a study has at "
             f"most {MOST_TRIALS}"]
        )  # fmt: skip
    return found


def _wrong_data(config: SweepConfig) -> list[str]:
    """One line for each thing that is wrong with the files of any of its runs, as far as a glance tells."""
    task = str(config.base.get("task", "planted"))
    swept = {name: values for name, values in config.space.items()
             if name.startswith(f"{task}.") and not isinstance(values, Range)}  # fmt: skip
    lines: list[str] = []
    for choice in itertools.islice(itertools.product(*swept.values()), MOST_GLANCES):
        data = {
            **config.base.get(task, {}),
            **{name.partition(".")[2]: value for name, value in zip(swept, choice, strict=True)},
        }
        with suppress(ValidationError):  # a point that was left out
            lines += KNOWN_TASKS[task].data_problems(KNOWN_TASKS[task].settings_class().model_validate(data))
    return list(dict.fromkeys(lines))


def _planned(config: SweepConfig) -> Plan:
    every = every_point(config)
    if every is None:
        _check_draws(config)
        assert config.points is not None
        return Plan(None, config.points)
    checked = [(point, *_checked(config, point)) for point in every]
    good = {key(tidy): tidy for _, tidy, wrong in checked if not wrong}
    bad = [(point, wrong) for point, _, wrong in checked if wrong]
    if not good:
        raise ConfigError(_none_valid(config, bad))
    if config.sampler == "grid":
        if bad and not config.skip_invalid:
            raise ConfigError(_some_invalid(bad))
        return Plan(tuple(good.values()), len(good), tuple(_once_each(bad)))
    assert config.points is not None
    if config.points > len(good):
        raise ConfigError(
            [f'points = {config.points}: the space has only {len(good)} different points; lower it, or use sampler = '
             f'"grid"']
        )  # fmt: skip
    return Plan(None, config.points)


def every_point(config: SweepConfig) -> list[Point] | None:
    """All points, the last field fastest; None where they cannot be listed. Raises ConfigError for a huge grid."""
    listed = [_listed(values) for values in config.space.values()]
    if any(values is None for values in listed):
        return None
    known = [values for values in listed if values is not None]
    count = math.prod(len(values) for values in known)
    if count > MOST_POINTS:
        if config.sampler != "grid":
            return None
        raise ConfigError([f"space: a grid of {count} points; at most {MOST_POINTS} can be planned, list fewer values"])
    return [dict(zip(config.space, choice, strict=True)) for choice in itertools.product(*known)]


def _listed(values: Values) -> tuple[Scalar, ...] | None:
    return values.values() if isinstance(values, Range) else values


def _checked(config: SweepConfig, point: Point) -> tuple[Point, list[str]]:
    """The point without unused fields, and what stands against a run of it."""
    try:
        run = run_config(config, point, config.seed_list[0])
    except ConfigError as error:
        return point, error.lines
    schedule = preview(run)
    # A budget that is not reached is a result; a method that never allocates anything was not tried at all.
    silent = schedule.warnings and not schedule.rows
    return without_unused(run, point), schedule.warnings[:1] if silent else []


def _none_valid(config: SweepConfig, bad: list[tuple[Point, list[str]]]) -> list[str]:
    shared = _shared(config, bad)
    if shared:
        return shared
    point, wrong = bad[0]
    return [f"space: none of its {len(bad)} points can be run; the first, {told(point)}: {'; '.join(wrong)}"]


def _shared(config: SweepConfig, bad: list[tuple[Point, list[str]]]) -> list[str]:
    """Lines that hold for every point, and so are about the base."""
    lines = [line for line in bad[0][1] if all(line in wrong for _, wrong in bad)]
    swept = tuple(f"{name} = " for name in config.space)
    about = [line for line in lines if not line.startswith(swept)]
    return [f"base.{line}" if re.split(r"[.: ]", line)[0] in config.base else line for line in about]


def _once_each(bad: list[tuple[Point, list[str]]]) -> list[str]:
    """What stands against points, each reason once: the first of the points, and how many more there are."""
    points: dict[str, list[Point]] = {}
    for point, wrong in bad:
        points.setdefault("; ".join(wrong), []).append(point)
    more = {reason: len(those) - 1 for reason, those in points.items()}
    also = {reason: f" and {count} more point{'s' * (count > 1)}" if count else "" for reason, count in more.items()}
    return [f"{told(those[0])}{also[reason]}: {reason}" for reason, those in points.items()]


def _some_invalid(bad: list[tuple[Point, list[str]]]) -> list[str]:
    lines = _once_each(bad)
    if len(lines) <= MOST_LINES:
        return [*lines[:-1], f"{lines[-1]}; skip_invalid = true leaves such points out"]
    more = len(lines) - MOST_LINES
    return [*lines[:MOST_LINES], f"and {more} more reasons; skip_invalid = true leaves such points out"]


def _check_draws(config: SweepConfig) -> None:
    """Raise ConfigError when no run can be made of any of many points drawn at random."""
    chance = np.random.default_rng(0)
    bad: list[tuple[Point, list[str]]] = []
    for _ in range(DRAWS):
        point = draw(config, chance)
        wrong = _checked(config, point)[1]
        if not wrong:
            return
        bad.append((point, wrong))
    raise ConfigError(
        _shared(config, bad)
        or [f"space: none of {DRAWS} points drawn from it can be run; the first, {told(bad[0][0])}: "
            f"{'; '.join(bad[0][1])}"]
    )  # fmt: skip


def valid(config: SweepConfig, point: Point) -> Point | None:
    """The point without unused fields; None when no run can be made of it."""
    tidy, wrong = _checked(config, point)
    return None if wrong else tidy


def draw(config: SweepConfig, chance: np.random.Generator) -> Point:
    """A point at random; whether a run can be made of it is not asked."""
    return {name: _draw(values, chance) for name, values in config.space.items()}


def _draw(values: Values, chance: np.random.Generator) -> Scalar:
    if not isinstance(values, Range):
        return values[int(chance.integers(len(values)))]
    if values.log:
        return rounded(values, math.exp(chance.uniform(math.log(values.low), math.log(values.high))))
    listed = values.values()
    if listed is not None:
        return listed[int(chance.integers(len(listed)))]
    return rounded(values, chance.uniform(values.low, values.high))


def rounded(values: Range, value: float) -> int | float:
    """A drawn number as people would write it, inside the range."""
    near = round(value) if values.whole else float(f"{value:.4g}")
    return min(max(near, values.low), values.high)
