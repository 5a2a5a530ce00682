"""The fields of a run and of a study as tables, from their models."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from markdown_tables import cell, table
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from triadapt.config import RunConfig
from triadapt.methods.registry import METHODS, MethodSpec
from triadapt.sweeps.config import SweepConfig
from triadapt.tasks.registry import TASKS, TaskSpec

_SIGNS = {"gt": "above {}", "ge": "at least {}", "lt": "below {}", "le": "at most {}"}
HEADS = ["field", "default", "values", "meaning"]


def run_fields() -> str:
    """What every run has, then the section of each method and task."""
    shared = {name: info for name, info in RunConfig.model_fields.items() if not _is_section(info)}
    parts = ["## Every run", "", table(HEADS, _rows(shared))]
    kinds: dict[str, Mapping[str, MethodSpec | TaskSpec]] = {"method": METHODS, "task": TASKS}
    for kind, registry in kinds.items():
        parts += ["", f"## The section of each {kind}"]
        for name, spec in registry.items():
            rows = _rows(spec.settings_class().model_fields, f"{name}.")
            parts += ["", f"### {name}", "", f"{spec.label}: {cell(spec.summary)}.", ""]
            parts.append(table(HEADS, rows) if rows else "It has no fields of its own.")
    return "\n".join(parts)


def study_fields() -> str:
    """What a study has."""
    shared = {name: info for name, info in SweepConfig.model_fields.items() if not _is_section(info)}
    ray = SweepConfig.model_fields["ray"].annotation
    assert ray is not None
    return table(HEADS, [*_rows(shared), *_rows(ray.model_fields, "ray.")])


def methods_table() -> str:
    """The methods by name."""
    rows = [(f"`{spec.name}`", spec.label, spec.allocation, cell(spec.summary)) for spec in METHODS.values()]
    return table(["name", "method", "rank", "in a line"], rows)


def tasks_table() -> str:
    """The tasks by name, with what they change of a run's defaults."""
    rows = [
        (
            f"`{spec.name}`",
            spec.label,
            f"{spec.metric}, {'more' if spec.higher_is_better else 'less'} is better",
            ", ".join(f"`{name} = {value}`" for name, value in spec.defaults.items()),
        )
        for spec in TASKS.values()
    ]
    return table(["name", "task", "metric", "its defaults"], rows)


def _is_section(info: FieldInfo) -> bool:
    return isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel)


def _rows(fields: dict[str, FieldInfo], prefix: str = "") -> list[tuple[str, str, str, str]]:
    return [
        (f"`{prefix}{name}`", _default(info), cell(_values(info)), cell(info.description or ""))
        for name, info in fields.items()
    ]


def _default(info: FieldInfo) -> str:
    value = info.default
    if value is PydanticUndefined:
        value = info.default_factory() if info.default_factory else None  # type: ignore[call-arg]
    if value is None or value in ("", {}, ()):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _values(info: FieldInfo) -> str:
    bounds = [
        sign.format(f"{getattr(rule, name):,}")
        for rule in info.metadata
        for name, sign in _SIGNS.items()
        if getattr(rule, name, None) is not None
    ]
    return ", ".join([_kind(info.annotation), *bounds])


def _kind(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(str(value) for value in inner)
    if origin in (Union, UnionType):
        return " or ".join(_kind(part) for part in inner if part is not NoneType)
    if origin is tuple:
        return "list"
    if origin is dict:
        return "table"
    names = {int: "whole number", float: "number", str: "text", bool: "true, false"}
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))
