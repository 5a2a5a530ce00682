"""The matrices of a model of one's own, in a line of text: target modules with their shapes, times layers."""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST_LAYERS, MOST_MODULES, MOST_WIDTH = 1000, 64, 10**6
_MODULE = re.compile(r"([A-Za-z_][\w.]*)(?:\s+(\d{1,9})\s*[x×]\s*(\d{1,9}))?")


@dataclass(frozen=True)
class TargetMatrices:
    """`layers` times the modules `(name, shape)`; a shape is `(out, in)`, or None where it was not given."""

    layers: int
    modules: tuple[tuple[str, tuple[int, int] | None], ...]

    @property
    def count(self) -> int:
        """Adapted matrices."""
        return self.layers * len(self.modules)

    @property
    def names(self) -> list[str]:
        """For `target_modules`."""
        return [name for name, _ in self.modules]

    @property
    def shapes(self) -> list[tuple[int, int]] | None:
        """Of every matrix; None when one is not known."""
        shapes = [shape for _, shape in self.modules if shape is not None]
        return shapes * self.layers if len(shapes) == len(self.modules) else None


def target_matrices(layers: int, modules: str) -> TargetMatrices:
    """Read `query 768x768, value 768x768`: names as in `target_modules`, each with `in x out` or without.

    Raises ValueError with one line naming what cannot be read.
    """
    if not 1 <= layers <= MOST_LAYERS:
        raise ValueError(f"layers = {layers}: must be from 1 to {MOST_LAYERS}")
    found: list[tuple[str, tuple[int, int] | None]] = []
    items = [item.strip() for item in modules.split(",") if item.strip()]
    if not 1 <= len(items) <= MOST_MODULES:
        raise ValueError(f"modules = {modules[:60]!r}: name 1 to {MOST_MODULES}, such as query 768x768, value 768x768")
    for item in items:
        match = _MODULE.fullmatch(item)
        if match is None:
            raise ValueError(f"modules = {item[:60]!r}: expected a name and in x out, such as query 768x768")
        name, inside, out = match.groups()
        if inside is not None and not (1 <= int(inside) <= MOST_WIDTH and 1 <= int(out) <= MOST_WIDTH):
            raise ValueError(f"modules = {item[:60]!r}: sizes must be from 1 to {MOST_WIDTH}")
        if name in (known for known, _ in found):
            raise ValueError(f"modules = {name!r}: named twice")
        found.append((name, None if inside is None else (int(out), int(inside))))
    return TargetMatrices(layers, tuple(found))
