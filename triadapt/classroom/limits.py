"""What students may train. Asked where a run is made: what a page hides, a browser can still send."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from triadapt.config import RunConfig
from triadapt.methods.registry import METHODS
from triadapt.tasks.registry import TASKS

TASKS_IN_CLASS = ("planted", "text")
"""Those that read no file of anybody's choosing."""
MOST_WAITING = 3
"""Races of one student that may wait."""
MOST: dict[str, float] = {
    "steps": 2000, "batch_size": 128, "reference_rank": 16, "add_r": 8, "adalora.init_rank_ratio": 8,
    "surm.displacement_rank": 16, "tiedlora.rank": 64,
    "planted.blocks": 6, "planted.width": 128, "planted.tokens": 32, "planted.pool": 4096, "planted.held_out": 1024,
    "planted.planted_rank": 32, "text.train_rows": 6000, "text.dev_rows": 600, "text.eval_rows": 300,
    "text.max_tokens": 128,
}  # fmt: skip
LEAST: dict[str, float] = {"eval_every": 10, "geometry_every": 10}
MOST_OF_TEXT: dict[str, float] = {"steps": 300}
"""A step of the text task costs as much as some ten of the planted one."""
LEAST_OF_TEXT: dict[str, float] = {"eval_every": 25}
"""As many as it has by itself: an evaluation costs as much as some ten steps."""
OF_THE_MACHINE = ("device", "threads", "precision")


def refusals(configs: Sequence[RunConfig], locked: Mapping[str, Any], hidden: Collection[str]) -> list[str]:
    """One line for each thing that students may not train so."""
    if len(configs) > len(METHODS):
        return [f"{len(configs)} runs in a race: at most {len(METHODS)} in a class"]
    lines: dict[str, None] = {}
    methods = locked.get("method")
    if methods and not {config.method for config in configs} <= set(methods):
        lines[f"method: fixed by the teacher at {', '.join(methods)}"] = None
    for config in configs:
        lines |= dict.fromkeys(_of_one(config, {name: locked[name] for name in locked if name != "method"}, hidden))
    return list(lines)


def _of_one(config: RunConfig, locked: Mapping[str, Any], hidden: Collection[str]) -> list[str]:
    if config.task not in TASKS_IN_CLASS:
        return [f"task = {config.task!r}: not in a class; choose {' or '.join(TASKS_IN_CLASS)}"]
    lines = []
    for name, wanted in locked.items():
        if (value := value_of(config, name)) is not None and value != wanted:
            lines.append(f"{name} = {value!r}: fixed by the teacher at {wanted!r}")
    for name in [*hidden, *OF_THE_MACHINE, *free_texts(config.task)]:
        if name in locked or name == "method":
            continue
        value, standard = value_of(config, name), standard_of(config.task, name)
        if value is not None and value != standard:
            lines.append(f"{name} = {value!r}: {standard!r} in this class")
    most = MOST | (MOST_OF_TEXT if config.task == "text" else {})
    least = LEAST | (LEAST_OF_TEXT if config.task == "text" else {})
    for name in dict.fromkeys([*most, *least]):
        value = value_of(config, name)
        if name in locked or value is None:
            continue
        if value > most.get(name, value):
            lines.append(f"{name} = {value}: at most {most[name]} in a class")
        if value < least.get(name, value):
            lines.append(f"{name} = {value}: at least {least[name]} in a class")
    return list(dict.fromkeys(lines))


def value_of(config: RunConfig, name: str) -> Any:
    """A field by its dotted name; None for one of another method or task."""
    section, _, last = name.rpartition(".")
    if section in (config.method, config.task):
        return getattr(getattr(config, section), last)
    return None if section else getattr(config, name)


def standard_of(task: str, name: str) -> Any:
    """What a field holds if nobody says anything."""
    section, _, last = name.rpartition(".")
    if section:
        return (TASKS.get(section) or METHODS[section]).settings_class().model_fields[last].default
    return TASKS[task].defaults.get(name, RunConfig.model_fields[name].default)


def free_texts(task: str) -> list[str]:
    """Fields of a task that take any text: names of files, folders and hub ids among them."""
    settings: type[BaseModel] = TASKS[task].settings_class()
    return [f"{task}.{name}" for name, field in settings.model_fields.items() if _takes_text(field.annotation)]


def _takes_text(annotation: Any) -> bool:
    return annotation is str or str in getattr(annotation, "__args__", ()) or "Path" in str(annotation)
