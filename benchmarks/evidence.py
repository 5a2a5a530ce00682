"""What the defaults rest on: initialisation, scale, growth mode, behaviour and method at equal budget, over seeds.

Every finished run is a line of a results file; what is there is not run again. `--tables` only makes the tables.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks.evidence_plan import CHECKS, DEFAULT, FACTORS, LORA, METHODS, SETTINGS, TEXT_METHODS, Planned, plan
from benchmarks.evidence_runs import Result, execute, expected_minutes, load
from benchmarks.evidence_stats import interval
from benchmarks.tables import Cell, Table

PARTS = ("base", "settings", "checks", "text", "separation", "steered")
RESULTS = Path(__file__).with_name("results") / "evidence.jsonl"
Value = Callable[[Result], float]


def loss(result: Result) -> float:
    """The task's metric at the end."""
    return float(result["value"])


def coverage(result: Result) -> float:
    """Share of the planted rank that is covered, in %."""
    return 100 * float(result["coverage"])


def precision(result: Result) -> float:
    """Share of the rank that is on planted matrices, in %."""
    return 100 * float(result["precision"])


def above_chance(result: Result) -> float:
    """Precision less that of rank spread evenly, in points."""
    return 100 * (float(result["precision"]) - float(result["chance"]))


class Runs:
    """Finished runs of a plan, by setting, variant and seed."""

    def __init__(self, planned: Iterable[Planned], done: dict[str, Result]) -> None:
        self.of: dict[tuple[str, str], dict[int, Result]] = {}
        for item in planned:
            if item.key in done:
                self.of.setdefault((item.setting, item.study or item.variant), {})[item.config.seed] = done[item.key]

    def mean(self, setting: str, variant: str, value: Value) -> float | None:
        """Mean over the seeds done."""
        runs = self.of.get((setting, variant), {})
        return sum(map(value, runs.values())) / len(runs) if runs else None

    def spread(self, setting: str, variant: str, value: Value, signed: bool = False) -> str:
        """Mean and its interval."""
        values = [value(result) for result in self.of.get((setting, variant), {}).values()]
        return shown(values, "+.1f" if signed else ".1f")

    def difference(self, setting: str, variant: str, reference: str, value: Value) -> str:
        """Mean of the differences to `reference` with the same seed, and its interval."""
        ours, theirs = self.of.get((setting, variant), {}), self.of.get((setting, reference), {})
        values = [value(ours[seed]) - value(theirs[seed]) for seed in ours if seed in theirs]
        return shown(values, "+.3f" if value is loss else "+.1f")

    def seeds(self, setting: str, variant: str) -> int:
        """Seeds done."""
        return len(self.of.get((setting, variant), {}))


def shown(values: list[float], form: str) -> str:
    """`mean [low, high]` in the given number format."""
    if not values:
        return "-"
    mean, low, high = interval(values)
    return f"{mean:{form}}" if len(values) == 1 else f"{mean:{form}} [{low:{form}}, {high:{form}}]"


def whole(value: float | None) -> Cell:
    """A mean of whole numbers."""
    return None if value is None else f"{value:,.0f}"


def decimals(value: float | None, digits: int) -> Cell:
    """A mean with so many decimals."""
    return None if value is None else f"{value:.{digits}f}"


def factor_tables(runs: Runs) -> list[Table]:
    """One factor at a time in the default setting: what came out, and differences to the default."""
    outcome: list[tuple[Cell, ...]] = []
    differences: list[tuple[Cell, ...]] = []
    for variant in FACTORS:
        outcome.append(
            (
                variant,
                runs.seeds("default", variant),
                decimals(runs.mean("default", variant, loss), 3),
                decimals(runs.mean("default", variant, coverage), 1),
                runs.spread("default", variant, precision),
                decimals(runs.mean("default", variant, lambda result: float(result["total_rank"])), 1),
                whole(runs.mean("default", variant, lambda result: float(result["parameters"]))),
            )
        )
        if variant != DEFAULT:
            differences.append(
                (variant, *(runs.difference("default", variant, DEFAULT, v) for v in (loss, coverage, precision)))
            )
    example = runs.of.get(("default", DEFAULT), {0: {"chance": 0.0, "even": 0.0}})
    first = next(iter(example.values()))
    note = (
        f"Planted task at its defaults (600 steps, 24 matrices). By chance precision is {100 * first['chance']:.0f} %; "
        f"the budget spread evenly covers {100 * first['even']:.0f} %. In brackets: 95 % t intervals over seeds."
    )
    return [
        Table(
            "Default setting, means over seeds",
            ("variant", "seeds", "relative loss", "coverage, %", "precision, %", "total rank", "parameters"),
            outcome,
            [note],
        ),
        Table(
            f"Default setting, paired differences to {DEFAULT} with init identity, scale constant, growth linear",
            ("variant", "relative loss (less is better)", "coverage, points", "precision, points"),
            differences,
        ),
    ]


def setting_tables(runs: Runs) -> list[Table]:
    """Methods in every setting."""
    rows: list[tuple[Cell, ...]] = []
    for setting in SETTINGS:
        for variant in METHODS:
            rows.append(
                (
                    f"{setting}: {variant}",
                    runs.seeds(setting, variant),
                    decimals(runs.mean(setting, variant, loss), 3),
                    "reference" if variant == LORA else runs.difference(setting, variant, LORA, loss),
                    decimals(runs.mean(setting, variant, coverage), 1),
                    "even" if variant == LORA else runs.spread(setting, variant, above_chance, signed=True),
                    whole(runs.mean(setting, variant, lambda result: float(result["parameters"]))),
                )
            )
    columns = (
        "setting: method", "seeds", "relative loss", "to LoRA (less is better)", "coverage, %",
        "precision above chance, points", "parameters",
    )  # fmt: skip
    return [Table("Methods in other settings, 300 steps", columns, rows)]


def check_tables(runs: Runs) -> list[Table]:
    """Whether what the default setting shows depends on the learning rate, and blocks of two ranks."""
    rows: list[tuple[Cell, ...]] = []
    for setting, (_, variants) in CHECKS.items():
        for variant in variants:
            rows.append(
                (
                    f"{setting}: {variant}",
                    runs.seeds(setting, variant),
                    decimals(runs.mean(setting, variant, loss), 3),
                    "reference" if variant == DEFAULT else runs.difference(setting, variant, DEFAULT, loss),
                )
            )
    columns = ("setting: variant", "seeds", "relative loss", f"to {DEFAULT}")
    return [Table("Other learning rates, and blocks of two ranks, 300 steps", columns, rows)]


def text_tables(runs: Runs) -> list[Table]:
    """Methods on the text task."""

    def percent(result: Result) -> float:
        return 100 * float(result["value"])

    rows: list[tuple[Cell, ...]] = []
    for variant in TEXT_METHODS:
        results = runs.of.get(("text", variant), {})
        rows.append(
            (
                variant,
                len(results),
                ", ".join(f"{percent(result):.1f}" for _, result in sorted(results.items())) or None,
                "reference" if variant == LORA else runs.difference("text", variant, LORA, percent),
                decimals(runs.mean("text", variant, lambda result: float(result["total_rank"])), 0),
                whole(runs.mean("text", variant, lambda result: float(result["parameters"]))),
            )
        )
    columns = ("method", "seeds", "accuracy, %, each seed", "to LoRA, points", "total rank", "parameters")
    return [Table("Text task", columns, rows)]


TABLES: dict[str, Callable[[Runs], list[Table]]] = {
    "base": factor_tables,
    "settings": setting_tables,
    "checks": check_tables,
    "text": text_tables,
}


def main() -> int:
    """Run what is missing, then print the tables or put them into a document."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evidence", description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), help="which parts (default: all)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file of finished runs (default: %(default)s)")
    parser.add_argument("--seeds", type=int, help="seeds of each part, in place of its own number")
    parser.add_argument("--tables", action="store_true", help="run nothing, make tables of what is there")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the tables into this document")
    parser.add_argument("--quick", action="store_true", help="2 seeds, few steps: to see that it works")
    options = parser.parse_args()
    if options.quick and options.results == RESULTS:
        options.results = RESULTS.with_name("evidence-quick.jsonl")
    planned = plan(tuple(options.parts), seeds=options.seeds, quick=options.quick)
    done = load(options.results)
    if not options.tables:
        minutes = expected_minutes(planned, done)
        left = len({item.key for item in planned} - set(done))
        print(
            f"{left} of {len({item.key for item in planned})} runs to do, about {minutes:.0f} minutes",
            file=sys.stderr,
            flush=True,
        )
        done = execute(planned, options.results)
    for part in options.parts:
        tables = TABLES[part](Runs([item for item in planned if item.part == part], done))
        text = "\n\n".join(table.markdown() for table in tables)
        if options.write is None:
            print(text, end="\n\n")
        else:
            put(options.write, f"evidence_{part}", text)
    return 0


def put(document: Path, name: str, text: str) -> None:
    """Put `text` between the marks of `name`. Raises RuntimeError when the document has none."""
    old = document.read_text(encoding="utf-8")
    first, last = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    if first not in old or last not in old:
        raise RuntimeError(f"{document}: no lines `{first.strip()}` and `{last}` to put the tables between")
    head, tail = old.split(first, 1)[0], old.split(last, 1)[1]
    document.write_text(f"{head}{first}\n{text}\n\n{last}{tail}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
