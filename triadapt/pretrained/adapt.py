"""The setting `adapt`: which of a model's linear layers get an adapter.

q, v            two places in every layer
3.q             one place in one layer
0-5.up, 4-5.*   in a span of layers; * is every place
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from triadapt.errors import ConfigError, suggest
from triadapt.pretrained.places import Place, modules_of

_ENTRY = re.compile(r"(?:(\d+)(?:-(\d+))?\.)?(\S+)")


def entries(text: str) -> list[tuple[int | None, int | None, str]]:
    """First layer, last layer (None: every layer) and place of each entry. Raises ValueError."""
    found: list[tuple[int | None, int | None, str]] = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        match = _ENTRY.fullmatch(entry)
        if match is None or len(entry) > 200:
            raise ValueError(f"{entry[:40]!r} is no place; write them as in q, v, 3.q or 0-5.up")
        first, last, module = match.groups()
        if first is None:
            found.append((None, None, module))
            continue
        if len(first) > 6 or (last is not None and (len(last) > 6 or int(last) < int(first))):
            raise ValueError(f"{entry[:40]!r}: the first layer must not be after the last; layers count from 0")
        found.append((int(first), int(last or first), module))
    return found


def chosen(places: Sequence[Place], adapt: str, field: str) -> list[Place]:
    """Those of a model's `places` that `adapt` names; all where it is empty. field: the setting, for errors. Raises
    ConfigError for an entry that names none."""
    try:
        wanted = entries(adapt)
    except ValueError as error:
        raise ConfigError([f"{field} = {adapt!r}: {error}"]) from None
    if not wanted:
        return list(places)
    lines, taken = [], set()
    for first, last, module in wanted:
        named = {
            index
            for index, place in enumerate(places)
            if module in ("*", place.module) and (first is None or first <= place.layer <= (last or 0))
        }
        if not named:
            lines.append(f"{field} = {adapt!r}: {_none(places, first, last, module)}")
        taken |= named
    if lines:
        raise ConfigError(lines)
    return [place for index, place in enumerate(places) if index in taken]


def _none(places: Sequence[Place], first: int | None, last: int | None, module: str) -> str:
    known = modules_of(places)
    if module not in ("*", *known):
        return f"no place is called {module}; {suggest(module, known)}the model has {', '.join(known)}"
    layers = f"layer {first}" if first == last else f"layers {first} to {last}"
    most = max(place.layer for place in places)
    return f"no {'place' if module == '*' else module} in {layers}; the model has layers 0 to {most}"


def written(places: Sequence[Place], picked: Sequence[Place]) -> str:
    """The shortest `adapt` for `picked` out of `places`: the inverse of `chosen`."""
    if len(picked) == len(places):
        return ""
    names, parts = {place.name for place in picked}, []
    for module in modules_of(places):
        layers = [place.layer for place in places if place.module == module]
        held = sorted({place.layer for place in places if place.module == module and place.name in names})
        if len(held) == len(set(layers)):
            parts.append(module)
            continue
        parts += [f"{first}.{module}" if first == last else f"{first}-{last}.{module}" for first, last in _spans(held)]
    return ", ".join(parts)


def _spans(numbers: Sequence[int]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for number in numbers:
        if spans and spans[-1][1] == number - 1:
            spans[-1] = (spans[-1][0], number)
        else:
            spans.append((number, number))
    return spans
