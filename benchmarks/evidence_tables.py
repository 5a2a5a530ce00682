"""Tables of the evidence benchmark: finished runs to means, paired differences and intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from benchmarks.evidence_plan import (
    CHECKS,
    DEFAULT,
    FACTORS,
    LORA,
    METHODS,
    PUBLISHED,
    SEPARATION,
    SEPARATION_METHODS,
    SEPARATION_SETTINGS,
    SETTINGS,
    STEERED,
    STEERED_SETTINGS,
    TEXT_METHODS,
    Planned,
)
from benchmarks.evidence_runs import Result
from benchmarks.evidence_stats import interval
from benchmarks.tables import Cell, Table

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
    """Finished runs of a plan, by setting, variant (or what steers it) and seed."""

    def __init__(self, planned: Iterable[Planned], done: dict[str, Result]) -> None:
        self.of: dict[tuple[str, str], dict[int, Result]] = {}
        for item in planned:
            name = item.variant if item.study in ("", SEPARATION) else item.study
            if item.key in done:
                self.of.setdefault((item.setting, name), {})[item.config.seed] = done[item.key]

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

    def pooled(self, settings: Iterable[str], variant: str, reference: str, value: Value) -> tuple[int, str]:
        """Seeds done in every setting, and the difference to `reference`: of each seed its mean over the settings."""
        cells = [(self.of.get((setting, variant), {}), self.of.get((setting, reference), {})) for setting in settings]
        seeds = sorted(set.intersection(*(set(ours) & set(theirs) for ours, theirs in cells)))
        values = [sum(value(ours[seed]) - value(theirs[seed]) for ours, theirs in cells) / len(cells) for seed in seeds]
        return len(seeds), shown(values, "+.3f" if value is loss else "+.1f")

    def seeds(self, setting: str, variant: str) -> int:
        """Seeds done."""
        return len(self.of.get((setting, variant), {}))


def shown(values: list[float], form: str) -> str:
    """`mean [low, high]` in the given number format; below three values the mean alone."""
    if not values:
        return "-"
    mean, low, high = interval(values)
    return f"{mean:{form}}" if len(values) < 3 else f"{mean:{form}} [{low:{form}}, {high:{form}}]"


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
        place_table(runs),
    ]


PLACES = ("q", "k", "v", "o", "up", "down")
"""The matrices of a block of the planted task in their order, which is that of the recorded ranks."""


def place_table(runs: Runs) -> Table:
    """Where in a block planted rank is found."""
    rows: list[tuple[Cell, ...]] = []
    for variant in (DEFAULT, PUBLISHED, "IncreLoRA", "AdaLoRA"):
        of: dict[tuple[int, bool], list[float]] = {}
        for result in runs.of.get(("default", variant), {}).values():
            for index, rank in enumerate(result.get("ranks", [])):
                of.setdefault((index % len(PLACES), index in result["planted"]), []).append(rank)
        pairs = [(of.get((place, True), []), of.get((place, False), [])) for place in range(len(PLACES))]
        rows.append((variant, *(" / ".join(_short(ranks) for ranks in pair) for pair in pairs)))
    return Table("Default setting, mean rank at the end: planted / other matrices", ("method", *PLACES), rows)


def _short(ranks: list[float]) -> str:
    return f"{sum(ranks) / len(ranks):.1f}" if ranks else "-"


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
    for variant in METHODS:
        if variant != LORA:
            seeds, losses = runs.pooled(SETTINGS, variant, LORA, loss)
            _, precisions = runs.pooled(SETTINGS, variant, LORA, precision)
            rows.append((f"mean of all settings: {variant}", seeds, None, losses, None, precisions, None))
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


def separation_tables(runs: Runs) -> list[Table]:
    """How well numbers of the state tell planted from other matrices."""
    tables = []
    for moment, when in {"first": "at the first event", "half": "half-way"}.items():
        columns = [(setting, variant) for setting in SEPARATION_SETTINGS for variant in SEPARATION_METHODS]
        found = {place: list(runs.of.get(place, {}).values()) for place in columns}
        names = dict.fromkeys(name for results in found.values() for result in results for name in result[moment])
        rows: list[tuple[Cell, ...]] = []
        for variant in SEPARATION_METHODS:
            for name in names:
                cells = [
                    _mean([result[moment][name] for result in found[setting, variant] if name in result[moment]])
                    for setting in SEPARATION_SETTINGS
                ]
                # Of methods with another adapter only what they go by themselves.
                if any(cell is not None for cell in cells) and (
                    name == "its own score" or variant in (DEFAULT, PUBLISHED)
                ):
                    rows.append((f"{variant}: {_plain(name)}", *cells))
        seeds = sorted({len(results) for results in found.values()})
        note = f"Mean over {' to '.join(map(str, seeds))} seeds; 0.5 is chance, 1 is perfect."
        tables.append(
            Table(f"AUC {when}: planted matrices above others", ("run: importance", *SEPARATION_SETTINGS), rows, [note])
        )
    rows = []
    for variant in SEPARATION_METHODS:
        for setting in SEPARATION_SETTINGS:
            own = [result["own"] for result in runs.of.get((setting, variant), {}).values() if "own" in result]
            if own:
                means = [sum(column) / len(own) for column in zip(*own, strict=True)]
                rows.append((f"{variant}: {setting}", *(f"{mean:.3g}" for mean in means)))
    columns_of_own = ("method: setting", "planted matrices", "other matrices", "deviation among the others")
    return [*tables, Table("The method's own score at the first event", columns_of_own, rows)]


def steered_tables(runs: Runs) -> list[Table]:
    """TriAdaptLoRA with other importances in charge of growth."""
    rows: list[tuple[Cell, ...]] = []
    for setting in STEERED_SETTINGS:
        for name in (DEFAULT, *STEERED):
            rows.append(
                (
                    f"{setting}: {'the published rise' if name == DEFAULT else _plain(name)}",
                    runs.seeds(setting, name),
                    runs.spread(setting, name, precision),
                    decimals(runs.mean(setting, name, coverage), 1),
                    decimals(runs.mean(setting, name, loss), 3),
                    "reference" if name == DEFAULT else runs.difference(setting, name, DEFAULT, loss),
                )
            )
    columns = ("setting: grows by", "seeds", "precision, %", "coverage, %", "relative loss", "to the published rise")
    return [Table("TriAdaptLoRA, the matrices that grow chosen by other numbers, 300 steps", columns, rows)]


def _plain(name: str) -> str:
    """A name without the strokes that Markdown takes for the next cell."""
    return name.replace("||", "‖").replace("|", "\\|")


def _mean(values: list[float]) -> Cell:
    return f"{sum(values) / len(values):.2f}" if values else None


TABLES: dict[str, Callable[[Runs], list[Table]]] = {
    "base": factor_tables,
    "settings": setting_tables,
    "checks": check_tables,
    "text": text_tables,
    "separation": separation_tables,
    "steered": steered_tables,
}
