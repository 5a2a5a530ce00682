"""What the configurations of several runs have in common, where they differ, and how runs are told apart."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import tomli_w

from triadapt.config import ConfigError, parse_config
from triadapt.methods.registry import METHODS
from triadapt.tasks.registry import KNOWN_TASKS, TASKS

Config = dict[str, Any]
SEED = "seed"
# The fields a reader asks for first; the rest is counted.
TOLD = ("task", "method", "steps", "seed", "reference_rank", "warmup", "interval", "learning_rate", "batch_size")
MOST_IN_A_LABEL = 2


def flat(config: Config) -> Config:
    """A configuration as dotted names to plain values; fields it does not name get their defaults."""
    try:
        config = parse_config(config).as_dict()
    except ConfigError:
        pass  # from another version: what it says is better than nothing
    found: Config = {}
    for name, value in config.items():
        if isinstance(value, dict):
            found |= {f"{name}.{inner}": item for inner, item in value.items()}
        else:
            found[name] = value
    return found


def told_value(name: str, value: Any) -> str:
    """The value of a field to be read: methods and tasks by what they are called, text without quotes, the rest as TOML
    writes it."""
    if name == "method" and value in METHODS:
        return METHODS[value].label
    if name == "task" and value in KNOWN_TASKS:
        return KNOWN_TASKS[value].label
    if isinstance(value, str):
        return value
    return tomli_w.dumps({"v": value}).strip().removeprefix("v = ")


def differing(configs: Sequence[Config]) -> list[str]:
    """Names of the fields in which flat `configs` differ, in the order of the configuration.

    A field that only some have, as those of a method's or a task's own section, is compared among these: that it is
    missing elsewhere says no more than `method` and `task` do.
    """
    names = dict.fromkeys(name for config in configs for name in config)
    return [name for name in names if _several([config[name] for config in configs if name in config])]


def _several(values: list[Any]) -> bool:
    first = values[0]
    if type(first) in (str, int, float, bool) and all(
        type(value) is type(first) and value == first for value in values
    ):
        return False
    # JSON tells 1 from 1.0 and from true.
    return len({json.dumps(value) for value in values}) > 1


def agreed(configs: Sequence[Config]) -> str:
    """What is the same in all flat `configs`, in one line."""
    everywhere = [name for name in configs[0] if all(name in config for config in configs)] if configs else []
    different = set(differing(configs))
    same = [name for name in everywhere if name not in different]
    told = [f"{name} = {told_value(name, configs[0][name])}" for name in TOLD if name in same]
    further = len(same) - len(told)
    return ", ".join(told) + (f"{' and ' if told else ''}{further} further fields" if further else "")


def group_key(config: Config) -> str:
    """The same for two flat configurations that differ in nothing but the seed."""
    return json.dumps({name: value for name, value in config.items() if name != SEED}, sort_keys=True)


def labels(configs: Sequence[Config], ids: Sequence[str]) -> list[str]:
    """A name for each run: its method and what tells it from the other runs of that method, its id where nothing does.

    No two are the same.
    """
    found = _labels(configs)
    return _unlike(found, [_short(run_id) for run_id in ids])


def group_labels(configs: Sequence[Config]) -> list[str]:
    """The same for the group of each run, the seed left out: equal for the runs of a group, unlike otherwise."""
    keys = [group_key(config) for config in configs]
    seedless = [{name: value for name, value in config.items() if name != SEED} for config in configs]
    kept = {key: config for key, config in zip(keys, seedless, strict=True)}
    found = _labels(list(kept.values()))
    named = dict(zip(kept, _unlike(found, [str(number) for number in range(1, len(kept) + 1)]), strict=True))
    return [named[key] for key in keys]


def _labels(configs: Sequence[Config]) -> list[str]:
    of_method: dict[Any, list[Config]] = {}
    for config in configs:
        of_method.setdefault(config.get("method"), []).append(config)
    different = {method: differing(others) for method, others in of_method.items()}
    return [_label(config, of_method[config.get("method")], different[config.get("method")]) for config in configs]


def _label(config: Config, others: Sequence[Config], different: Sequence[str]) -> str:
    method = str(config.get("method", ""))
    fields = [name for name in different if name in config]
    if "task" in fields:
        # Its defaults differ along with it and would bury the rest.
        defaults = {name for other in others for name in TASKS[other["task"]].defaults if other.get("task") in TASKS}
        fields = ["task", *(name for name in fields if name != "task" and name not in defaults)]
    others_than_seed = [name for name in fields if name != SEED]
    told = [_said(name, config[name]) for name in others_than_seed[:MOST_IN_A_LABEL]]
    if len(others_than_seed) > MOST_IN_A_LABEL:
        told.append(f"+{len(others_than_seed) - MOST_IN_A_LABEL} more")
    if SEED in fields:
        told.append(_said(SEED, config[SEED]))
    spec = METHODS.get(method)
    return " · ".join([" ".join([spec.label if spec else method, *told[:1]]), *told[1:]])


def _said(name: str, value: Any) -> str:
    if name == SEED:
        return f"seed {value}"
    return f"{name.rpartition('.')[2]}={told_value(name, value)}"


def _short(run_id: str) -> str:
    """The part of an id that tells races of one day apart: time and random letters."""
    return "-".join(run_id.split("-")[1:3]) or run_id


def _unlike(found: list[str], marks: Sequence[str]) -> list[str]:
    counts = Counter(found)
    marked = [label if counts[label] == 1 else f"{label} ({mark})" for label, mark in zip(found, marks, strict=True)]
    seen: Counter[str] = Counter()
    for position, label in enumerate(marked):
        seen[label] += 1
        if seen[label] > 1:
            marked[position] = f"{label} #{seen[label]}"
    return marked
