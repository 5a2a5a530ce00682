"""Standings as the figure takes them, and as rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from triadapt.methods.registry import METHODS
from triadapt.views.methods.result import PRICES, Kind, Price
from triadapt.views.methods.standing import Standing, groups_of, method_label, reference_of

GREY = "#8c8c8c"


def figure_groups(rows: Sequence[Standing], price: Price) -> list[dict[str, Any]]:
    """Groups for `figures.sweep_pareto.pareto`."""
    drawn = []
    for row in rows:
        spec, label = METHODS.get(row.group.method), escape(row.group.label, quote=False)  # Plotly reads some HTML
        told = [(result, found) for result in row.group.results if (found := price.of(result)) is not None]
        drawn.append({
            "label": label, "colour": spec.colour if spec else GREY, "method": row.group.method,
            "place": row.group.place, "counts": row.group.counts, "said": escape(row.words, quote=False),
            "labels": [f"{label}, seed {result.seed}" for result, _ in told],
            "prices": [found for _, found in told], "values": [result.value for result, _ in told],
        })  # fmt: skip
    return drawn


def table_rows(kind: Kind, rows: Sequence[Standing]) -> list[dict[str, Any]]:
    """A row a group of the kind, those without the price of `rows` included: labels of columns to values, None where a
    price is not recorded. Best first."""
    groups = groups_of(kind.results)
    stands = {row.group.label: row.words for row in rows}
    lora = reference_of(groups, higher_is_better=kind.higher_is_better)
    parameters = PRICES["parameters"]
    whole = lora.price(parameters) if lora is not None else None
    found = []
    for group in sorted(groups, key=lambda group: -group.value if kind.higher_is_better else group.value):
        held = group.price(parameters)
        row: dict[str, Any] = {"Method": method_label(group.method), "Settings": group.settings}
        row["Parameters"] = None if held is None else round(held)
        if lora is not None:
            row[f"% of {lora.label}"] = 100 * held / whole if held and whole else None
        row |= {"Memory, MB": group.price(PRICES["memory"]), "Step, ms": group.price(PRICES["time"])}
        row |= {kind.metric: group.value, "lowest": min(group.values), "highest": max(group.values)}
        row |= {"Seeds": group.seeds, "Standing": stands.get(group.label, "price not recorded")}
        found.append(row)
    return found


def beaten(rows: Sequence[Standing]) -> str:
    """Who is beaten by whom, and who is not counted, in a sentence; empty where all are on the front."""
    losers: dict[str, list[str]] = {}
    for row in rows:
        if row.beaten_by:
            close = " (within the spread of the seeds)" if row.narrowly else ""
            losers.setdefault(row.beaten_by, []).append(f"{row.group.label}{close}")
    told = [f"by {winner}: {', '.join(names)}" for winner, names in losers.items()]
    oracles = [f"{row.group.label} is {row.words}" for row in rows if not row.group.counts]
    return " ".join(f"{line}." for line in (f"Beaten {'; '.join(told)}" * bool(told), *oracles) if line)
