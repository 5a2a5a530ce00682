"""The fields of a run's configuration as a sweep sees them: which there are, what each can be, and who uses it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from triadapt.config import RunConfig, suggest
from triadapt.methods.registry import METHODS
from triadapt.runs.info import Scalar
from triadapt.sweeps.config import Range, SweepConfig

_NOT_SWEPT = {
    "seed": "list the seeds in `seeds`, so that every point gets each of them",
    "task": "values of the metric of two tasks cannot be compared; make a study of each",
}


@cache
def _fields() -> dict[str, FieldInfo]:
    """Every field of a run's configuration, by dotted name."""
    found: dict[str, FieldInfo] = {}
    for name, field in RunConfig.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found |= {f"{name}.{inner}": of for inner, of in kind.model_fields.items()}
        else:
            found[name] = field
    return found


def kind_of(name: str) -> Any:
    """Type of a field, by dotted name. Raises KeyError for an unknown one."""
    return _fields()[name].annotation


def wrong_fields(config: SweepConfig) -> Iterator[str]:
    """One line for each swept field that is none."""
    known = _fields()
    for name in config.space:
        if name in _NOT_SWEPT:
            yield f"space.{name}: cannot be swept; {_NOT_SWEPT[name]}"
        elif name not in known:
            section = name.rpartition(".")[0]
            near = [other for other in known if other.rpartition(".")[0] == section and other not in _NOT_SWEPT]
            yield f"space.{name}: unknown field; {suggest(name, near or known)}known: {', '.join(near or known)}"


def wrong_values(config: SweepConfig) -> Iterator[str]:
    """One line for each value that no run could have, whatever the other fields are."""
    for name, values in config.space.items():
        if isinstance(values, Range):
            if known_choices(name) is not None or kind_of(name) not in (int, float):
                yield f"space.{name}: is no number, so it has no range; list its values"
                continue
            if kind_of(name) is int and not values.whole:
                yield f"space.{name}: takes whole numbers; low, high and step must be whole"
                continue
        for value in (values.low, values.high) if isinstance(values, Range) else values:
            wrong = _wrong_value(name, value)
            if wrong:
                yield f"space.{name} = {value!r}: {wrong}"


def _wrong_value(name: str, value: Scalar) -> str:
    """What is wrong with a value by itself, whatever the other fields are; nothing where it is right."""
    if name == "method":
        return "" if value in METHODS else f"unknown method; {suggest(str(value), METHODS)}known: {', '.join(METHODS)}"
    try:
        _validator(name).validate_python(value, strict=True)
    except ValidationError as error:
        message = str(error.errors()[0]["msg"])
        return message[:1].lower() + message[1:]
    return ""


@cache
def _validator(name: str) -> TypeAdapter[Any]:
    field = _fields()[name]
    kind: Any = field.annotation
    return TypeAdapter(Annotated[kind, *field.metadata] if field.metadata else kind)


def known_choices(name: str) -> tuple[Scalar, ...] | None:
    """Every value that a field of words can have; None for numbers and free text."""
    kind = kind_of(name)
    if name == "method":
        return tuple(METHODS)
    if kind is bool:
        return (False, True)
    choices = getattr(kind, "__args__", None)
    return tuple(choices) if choices and all(isinstance(choice, str) for choice in choices) else None


def uses(config: RunConfig, name: str) -> bool:
    """Whether the method of a run looks at a field at all."""
    section = name.partition(".")[0]
    if section != name:
        return section in (config.method, config.task)
    allocation = METHODS[config.method].allocation
    grows = allocation == "grows"
    match name:
        case "warmup" | "interval":
            return METHODS[config.method].decides
        case "growth":
            return grows and config.method != "increlora"
        case "top_h":
            return grows and (config.method == "increlora" or config.growth == "fixed")
        case "add_r":
            return grows
        case _:
            return True
