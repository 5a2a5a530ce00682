"""What a method's own settings say of a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from triadapt.methods.registry import METHODS


def settings_of(method: str, config: Mapping[str, Any]) -> BaseModel | None:
    """The method's section of a flat configuration; None where it is of another version, or the method is unknown."""
    if method not in METHODS:
        return None
    section = {name.partition(".")[2]: value for name, value in config.items() if name.startswith(f"{method}.")}
    try:
        return METHODS[method].settings_class().model_validate(section)
    except ValidationError:
        return None


def unused_by(method: str, config: Mapping[str, Any]) -> tuple[str, ...]:
    """Fields of a flat configuration that no result of the method depends on, as its settings say."""
    return tuple(getattr(settings_of(method, config), "unused", ()))


def chosen_rank(method: str, config: Mapping[str, Any]) -> int | None:
    """The rank of every matrix where the method has one of its own (`rank_of`), which stands in for its field `rank`
    and the reference rank; None where it has none."""
    own: Any = settings_of(method, config)
    if not hasattr(own, "rank_of") or not config.get("reference_rank"):
        return None
    return int(own.rank_of(SimpleNamespace(reference_rank=config["reference_rank"])))


def is_oracle(method: str, config: Mapping[str, Any]) -> bool:
    """Whether the method is told what no method can know, so that nobody can use it."""
    return bool(getattr(settings_of(method, config), "is_oracle", False))


def field_of(name: str) -> FieldInfo | None:
    """The field that a dotted name stands for; None where it is none of a method's own."""
    method, _, field = name.partition(".")
    return METHODS[method].settings_class().model_fields.get(field) if method in METHODS else None
