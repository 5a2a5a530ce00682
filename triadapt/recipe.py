"""What a file for `triadapt train` may say beside the fields of a run: methods, seeds, and what holds for one method.

methods = ["triadaptlora", "adalora"]
seeds = [41, 42, 43]

[for.adalora]
warmup = 600
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from triadapt.errors import ConfigError, suggest
from triadapt.methods.registry import METHODS

MOST_SEEDS = 1000


@dataclass(frozen=True)
class Recipe:
    """values: of a run. methods, seeds: empty where the file names none. own: values for one method, by its name."""

    values: dict[str, Any]
    methods: list[str] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)
    own: dict[str, dict[str, Any]] = field(default_factory=dict)

    def values_for(self, method: str) -> dict[str, Any]:
        """A copy of the values of a run with `method`."""
        return {**_merged(self.values, self.own.get(method, {})), "method": method}


def read_recipe(data: Mapping[str, Any]) -> Recipe:
    """The plain values of a file, taken apart. Raises ConfigError with a line for each wrong field."""
    values = dict(data)
    methods, seeds, own = values.pop("methods", []), values.pop("seeds", []), values.pop("for", {})
    lines = []
    if not isinstance(methods, list) or not all(isinstance(one, str) for one in methods):
        lines.append(f'methods = {methods!r}: give a list of names, such as ["triadaptlora", "lora"]')
        methods = []
    if methods and "method" in values:
        lines.append(f"method = {values['method']!r}: methods are named as well; leave one of them out")
    if (
        not isinstance(seeds, list)
        or len(seeds) > MOST_SEEDS
        or not all(isinstance(one, int) and not isinstance(one, bool) for one in seeds)
        or len(set(seeds)) < len(seeds)
    ):
        lines.append(f"seeds = {str(seeds)[:60]}: give a list of different whole numbers, such as [1, 2, 3]")
        seeds = []
    if seeds and "seed" in values:
        lines.append(f"seed = {values['seed']!r}: seeds are named as well; leave one of them out")
    if not isinstance(own, dict) or not all(isinstance(table, dict) for table in own.values()):
        lines.append("for: give a table for each method, such as [for.adalora]")
        own = {}
    lines += [
        f"for.{name}: unknown method; {suggest(name, METHODS)}known: {', '.join(METHODS)}"
        for name in own
        if name not in METHODS
    ]
    if lines:
        raise ConfigError(lines)
    return Recipe(values, methods, seeds, own)


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = copy.deepcopy(dict(base))
    for name, value in over.items():
        held = merged.get(name)
        merged[name] = _merged(held, value) if isinstance(held, dict) and isinstance(value, dict) else value
    return merged
