"""Tables of results: for people, for docs/performance.md, for machines."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version

Cell = str | int | float | None


@dataclass(frozen=True)
class Table:
    """One table. A row has a cell for each column; None is what could not be measured."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """For a terminal."""
        cells = [self.columns, *(tuple(map(_shown, row)) for row in self.rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.columns))]
        lines = [self.title]
        for row in cells:
            padded = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
            padded[0] = row[0].ljust(widths[0])
            lines.append("  " + "  ".join(padded))
        return "\n".join([*lines, *(f"  ({note})" for note in self.notes)])

    def markdown(self) -> str:
        """For a document."""
        lines = [
            f"**{self.title}**",
            "",
            "| " + " | ".join(self.columns) + " |",
            "|---" + "|---:" * (len(self.columns) - 1) + "|",
            *("| " + " | ".join(map(_shown, row)) + " |" for row in self.rows),
        ]
        return "\n".join([*lines, *(line for note in self.notes for line in ("", note))])


def _shown(cell: Cell) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def machine() -> str:
    """One line on where the figures come from."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = ", ".join(f"{name} {version(name).partition('+')[0]}" for name in ("torch", "peft", "streamlit"))
    return f"{cores} cores, CPU ({platform.machine()}), Python {platform.python_version()}, {versions}{_load()}"


def _load() -> str:
    """How busy the machine was; the benchmarks themselves keep one to two cores busy."""
    return f"; load average when done {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options every benchmark has."""
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions: to see that it works, not to quote")


def show(name: str, tables: Sequence[Table], options: argparse.Namespace) -> None:
    """Print the tables of one benchmark in the form asked for."""
    if options.json:
        print(json.dumps({"benchmark": name, "machine": machine(), "tables": [asdict(table) for table in tables]}))
    elif options.markdown:
        print(document_part(tables))
    else:
        print("\n\n".join(table.text() for table in tables))


def document_part(tables: Sequence[Table]) -> str:
    """Tables and the machine, in Markdown."""
    return "\n\n".join([*(table.markdown() for table in tables), f"Measured on: {machine()}."])


def main(name: str, description: str, measure: Callable[[bool], list[Table]]) -> int:
    """Entry of one benchmark; `measure(quick)` does the work."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=description)
    add_options(parser)
    options = parser.parse_args()
    try:
        show(name, measure(options.quick), options)
    except RuntimeError as error:
        print(f"benchmarks.{name}: {error}", file=sys.stderr)
        return 1
    return 0
