"""`triadapt preview`."""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import asdict
from typing import Any

from rich.table import Table

from triadapt.cli_train import configs_of, print_table
from triadapt.config import ConfigError, RunConfig
from triadapt.growth.lints import Lint, lints
from triadapt.growth.parameters import Parameters, parameters_along
from triadapt.growth.preview import Preview, matrices_of, shapes_of
from triadapt.growth.preview import preview as preview_of
from triadapt.growth.target_matrices import MOST_LAYERS, MOST_MODULES, TargetMatrices, target_matrices
from triadapt.growth.trainer_steps import TrainerSteps
from triadapt.methods.registry import METHODS
from triadapt.runs.export import plain

MOST_MATRICES = MOST_LAYERS * MOST_MODULES


def preview(options: Namespace) -> int:
    """The event table of each configuration, and what speaks against it."""
    counted = _counted(options)
    if counted is not None:
        options.steps = str(counted.steps)
    configs = configs_of(options)
    own = _own_matrices(options)
    plans = [_Plan(config, own, options.matrices, counted) for config in configs]
    if options.json:
        line = (
            {} if counted is None else {"counted": asdict(counted) | {"steps": counted.steps, "line": counted.line()}}
        )
        print(json.dumps(plain(line | {"previews": [plan.values() for plan in plans]}), allow_nan=False))
        return 0
    if counted is not None:
        print(counted.line())
    for plan in plans:
        plan.print()
    return 0


FOLD = 60
"""Rows of a table that are all shown."""


class _Plan:
    """One configuration over its matrices."""

    def __init__(
        self, config: RunConfig, own: TargetMatrices | None, count: int | None, counted: TrainerSteps | None
    ) -> None:
        self.config = config
        shapes = own.shapes if own else None if count else shapes_of(config)
        count = own.count if own else count or matrices_of(config)
        self.seen: Preview = preview_of(config, count)
        self.parameters: list[Parameters] | None = parameters_along(config, self.seen, shapes) if shapes else None
        smallest = min(map(min, shapes)) if shapes else None
        self.lints: list[Lint] = lints(config, matrices=count, smallest=smallest, counted=counted)

    def values(self) -> dict[str, Any]:
        """For machines."""
        values = {name: value for name, value in self.seen.__dict__.items() if name not in ("rows", "problems")}
        rows = self.seen.rows
        if self.parameters is not None:
            rows = [row | {"parameters": asdict(count)} for row, count in zip(rows, self.parameters[1:], strict=True)]
            values["start_parameters"] = asdict(self.parameters[0])
        return {
            "config": self.config.as_dict(), **values, "rows": rows, "warnings": [lint.message for lint in self.lints],
            "lints": [asdict(lint) for lint in self.lints],
        }  # fmt: skip

    def _title(self) -> str:
        spec, count = METHODS[self.config.method], self.parameters and _parameters(self.parameters[0])
        if spec.rank == "measured":
            return f"{spec.label}: no rank of its own" + (f", {count} parameters" if count else "")
        title = f"{spec.label}: {len(self.seen.rows)} rank events, rank {self.seen.start} to {self.seen.target}"
        return title + (f", {count} parameters at the start" if count else "")

    def _folded(self, place: int) -> bool:
        """Whether the row at `place`, from 1, says nothing: neither it nor its neighbours change a rank, in a table
        that fills more than a screen."""
        rows = self.seen.rows
        if len(rows) <= FOLD or not 1 < place < len(rows):
            return False
        return not any(row["change"] for row in rows[place - 2 : place + 1])

    def print(self) -> None:
        """For people."""
        columns = ["step", "progress", "gap", "allowed", "change", "total rank"]
        if self.parameters is not None:
            columns.append("parameters")
        table = Table(*columns, box=None, header_style="bold")
        for place, row in enumerate(self.seen.rows, 1):
            if self._folded(place):
                if not self._folded(place - 1):
                    table.add_row("...")
                continue
            cells = [*(str(row[key]) for key in ("step", "progress", "gap", "allowed")), f"{row['change']:+d}",
                     str(row["total_rank"])]  # fmt: skip
            table.add_row(*cells, *([_parameters(self.parameters[place])] if self.parameters else []))
        print_table(table, self._title())
        for lint in self.lints:
            print(f"warning: {lint.message}")
            if lint.changes:
                print(f"  fix: {' '.join(_option(name, value) for name, value in lint.changes.items())}")


def _option(name: str, value: Any) -> str:
    return f"--{name} {value}" if name in ("processes", "accumulation") else f"--set {name}={value}"


def _parameters(count: Parameters) -> str:
    """`1,152 (1,024 to 1,536)`: evenly spread, and the bounds."""
    bounds = f" ({count.least:,} to {count.most:,})" if count.least < count.most else ""
    return f"{count.even:,}{bounds}"


def _counted(options: Namespace) -> TrainerSteps | None:
    """Steps counted from epochs. Raises ConfigError."""
    given = {"epochs": options.epochs, "rows": options.rows, "batch-size": options.batch_size}
    more = {"accumulation": options.accumulation, "processes": options.processes}
    if all(value is None for value in given.values()):
        wrong = [f"--{name}" for name, value in more.items() if value is not None]
        wrong += ["--drop-last"] if options.drop_last else []
        if wrong:
            raise ConfigError([f"{wrong[0]}: counts only along with --epochs, --rows and --batch-size"])
        return None
    missing = [f"--{name}" for name, value in given.items() if value is None]
    if missing:
        raise ConfigError([f"{missing[0]}: missing; steps are counted from --epochs, --rows and --batch-size together"])
    if options.steps is not None:
        raise ConfigError([f"--steps {options.steps}: follows from --epochs, --rows and --batch-size; leave it out"])
    try:
        return TrainerSteps(
            options.epochs, options.rows, options.batch_size, options.accumulation or 1, options.processes or 1,
            options.drop_last,
        )  # fmt: skip
    except ValueError as error:
        raise ConfigError([str(error)]) from None


def _own_matrices(options: Namespace) -> TargetMatrices | None:
    """Matrices of a model of one's own. Raises ConfigError."""
    if options.modules is None and options.layers is None:
        if options.matrices is not None and not 0 < options.matrices <= MOST_MATRICES:
            raise ConfigError([f"--matrices '{options.matrices}': expected a whole number from 1 to {MOST_MATRICES}"])
        return None
    if options.modules is None or options.layers is None:
        raise ConfigError(["--modules and --layers: give both, such as --layers 12 --modules 'query 768x768'"])
    if options.matrices is not None:
        raise ConfigError([f"--matrices {options.matrices}: follows from --layers and --modules; leave it out"])
    try:
        return target_matrices(options.layers, options.modules)
    except ValueError as error:
        raise ConfigError([str(error)]) from None
