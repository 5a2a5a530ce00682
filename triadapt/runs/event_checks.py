"""Are events from outside what they claim to be? A stored run was written by this program; a bundle may not be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from functools import cache
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, create_model

from triadapt.events import EVENTS, Event, Geometry, RankEvent, Scores, Started
from triadapt.methods.registry import RankKind

LARGEST = 2**53
"""Whole numbers of an event are below it: JavaScript knows them exactly."""
_NARROWER = {(Started.kind, "rank_kind"): RankKind}
"""Fields that hold less than their type says."""
_AS_SAID = ConfigDict(strict=True, revalidate_instances="always")
"""What is checked is not converted: "7" is no number."""


@cache
def _plain_fields(kind: str) -> TypeAdapter[Any]:
    """Checks the fields of an event that are no arrays."""
    cls = EVENTS[kind]
    hints = get_type_hints(cls)
    plain: dict[str, Any] = {
        f.name: (_NARROWER.get((kind, f.name), hints[f.name]), ...) for f in fields(cls) if f.name not in cls.arrays
    }
    return TypeAdapter(create_model(cls.__name__, __config__=_AS_SAID, **plain))


def check_events(events: Sequence[Event]) -> None:
    """Raise ValueError when a field has the wrong type or an array does not fit the run's matrices."""
    count = 0
    for event in events:
        if not 0 <= event.step < LARGEST:
            raise ValueError(f"step = {str(event.step)[:40]}: not a step")
        values = {f.name: getattr(event, f.name) for f in fields(event) if f.name not in event.arrays}
        _plain_fields(event.kind).validate_python(values)
        too_large = next((number for number in whole_numbers(values) if abs(number) >= LARGEST), None)
        if too_large is not None:
            raise ValueError(f"step {event.step}: a whole number of {too_large.bit_length()} bits")
        if isinstance(event, Started):
            count = len(event.matrices)
            _check_start(event)
        elif isinstance(event, RankEvent):
            _check_members(event, count)
        for name, length in _lengths(event, count).items():
            found = len(getattr(event, name))
            if found != length:
                raise ValueError(f"step {event.step}: {name} has {found} values, expected {length}")


def whole_numbers(value: Any) -> Iterator[int]:
    """Those in plain values, nested as they may be."""
    if isinstance(value, int):
        yield value
    elif isinstance(value, dict | list | tuple):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from whole_numbers(inner)


def _lengths(event: Event, count: int) -> dict[str, int]:
    if isinstance(event, Scores):
        return {"scores": count}
    if isinstance(event, RankEvent):
        # A decision taken elsewhere may have been recorded without its importances.
        scores = count if len(event.scores) else 0
        return {"scores": scores, "ranks": count, "before": count, "unit_matrix": len(event.unit_scores)}
    if isinstance(event, Geometry):
        return {"ranks": count, "singular": int(event.ranks.sum())}
    return {}


def _check_start(event: Started) -> None:
    count = len(event.matrices)
    members = [index for group in event.shared for index in group]
    if any(not 0 <= index < count for index in members):
        raise ValueError(f"step {event.step}: shared: a matrix number outside 0 to {count - 1}")
    if not all(event.shared) or len(set(members)) < len(members):
        raise ValueError(f"step {event.step}: shared: an empty group, or a matrix that is named twice")
    if event.frozen_bytes < 0:
        raise ValueError(f"step {event.step}: frozen_bytes = {event.frozen_bytes}: must not be below 0")


def _check_members(event: RankEvent, count: int) -> None:
    if any(not 0 <= int(index) < count for index in [*event.chosen, *event.unit_matrix]):
        raise ValueError(f"step {event.step}: a matrix number outside 0 to {count - 1}")
