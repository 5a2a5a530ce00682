"""Final metric against a price, such as trainable parameters."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log10
from typing import Any

import numpy as np
import plotly.graph_objects as go

from triadapt.figures.sweep_style import better
from triadapt.methods.registry import METHODS
from triadapt.views.methods.result import PRICES, Price
from triadapt.views.sweep.front import front

# One a method, so that they are told apart without colour; a second group of a method is drawn open, and further ones
# with a dot.
SYMBOLS = (
    "circle", "square", "diamond", "triangle-up", "cross", "x", "triangle-down", "pentagon", "star", "hexagram",
    "octagon", "diamond-tall", "star-diamond", "triangle-left", "triangle-right", "hexagon", "star-square",
)  # fmt: skip
VARIANTS = ("", "-open", "-dot", "-open-dot")
LOW, HIGH, A_LINE = 400, 640, 12
"""Height in pixels, and what each line of the legend adds to it, which on a narrow screen stands alone."""


def pareto(
    groups: Sequence[dict[str, Any]], *, metric: str, higher_is_better: bool, price: Price = PRICES["parameters"],
    logarithmic: bool = False,
) -> go.Figure:  # fmt: skip
    """Marks of groups of runs, and the front of their means as stairs.

    groups: `label`, `colour`, `method`, `place`, `labels` `(r,)`, `prices` `(r,)` in units of `price`, and `values`
    `(r,)` of its runs. A group of several runs has a large mark at its mean, with bars from the lowest to the highest,
    and a small one for each run. legend: what several groups share one line of the legend under, by default the label
    of each; numbers `(r,)`: what a click on a run gives; counts: false for a group that no front is drawn through;
    said: a line on the group when it is pointed at. logarithmic: of the axis of prices.
    """
    figure = go.Figure()
    at = f"%{{x:{price.form}}} {price.unit}"
    means = []
    listed = set[str]()
    for group in groups:
        sizes, values = np.asarray(group["prices"], float), np.asarray(group["values"], float)
        size, value = float(sizes.mean()), float(values.mean())
        if group.get("counts", True):
            means.append((size, value))
        name, said = group.get("legend", group["label"]), group.get("said", "")
        symbol = _symbol(group["method"]) + VARIANTS[int(group["place"]) % len(VARIANTS)]
        several = len(values) > 1
        if several:
            figure.add_scatter(
                x=sizes, y=values, mode="markers", showlegend=False, legendgroup=name, opacity=0.45,
                marker={"color": group["colour"], "symbol": symbol, "size": 6}, text=group["labels"],
                customdata=group.get("numbers"),
                hovertemplate=f"%{{text}}: {at}, %{{y:.4g}}<extra></extra>",
            )  # fmt: skip
        figure.add_scatter(
            x=[size], y=[value], mode="markers", name=name, legendgroup=name, showlegend=name not in listed,
            customdata=None if several else group.get("numbers"),
            marker={"color": group["colour"], "symbol": symbol, "size": 13, "line": {"width": 2}},
            error_y=_bar(values, value) if several else None,
            error_x=_bar(sizes, size) if several and np.ptp(sizes) else None,
            hovertemplate=f"{group['label']}: {at}, %{{y:.4g}}{'<br>' if said else ''}{said}<extra></extra>",
        )  # fmt: skip
        listed.add(name)
    _add_front(figure, np.array(means).reshape(-1, 2), higher_is_better)
    figure.update_layout(
        xaxis={"title": price.axis, "tickformat": price.form, "type": "log" if logarithmic else "linear"},
        yaxis={"title": f"{metric} ({better(higher_is_better)})"},
        height=min(HIGH, LOW + A_LINE * max(0, len(listed) - 4)),
        margin={"l": 60, "r": 10, "t": 10, "b": 40},
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0},
    )
    if logarithmic:
        figure.update_xaxes(tickmode="array", tickvals=_round_numbers([price for price, _ in means]))
    return figure


def _round_numbers(prices: Sequence[float]) -> list[float]:
    """Ticks for a logarithmic axis: Plotly sets some of its own lower than the others. Fewer over many decades."""
    low, high = floor(log10(min(prices, default=1.0))), ceil(log10(max(prices, default=1.0)))
    digits = (1, 2, 5) if high - low <= 3 else (1,)
    return [digit * 10.0**power for power in range(low - 1, high + 1) for digit in digits]


def _symbol(method: str) -> str:
    names = list(METHODS)
    return SYMBOLS[(names.index(method) if method in names else len(names)) % len(SYMBOLS)]


def _bar(values: Any, mean: float) -> dict[str, Any]:
    return {
        "type": "data", "symmetric": False, "array": [float(values.max()) - mean],
        "arrayminus": [mean - float(values.min())], "thickness": 1.2, "width": 5,
    }  # fmt: skip


def _add_front(figure: go.Figure, means: Any, higher_is_better: bool) -> None:
    if len(means) < 2:
        return
    best = means[front(means[:, 0], means[:, 1], higher_is_better=higher_is_better)]
    # On to the largest: who spends more gets no less.
    x, y = [*best[:, 0], float(means[:, 0].max())], [*best[:, 1], best[-1, 1]]
    figure.add_scatter(
        x=x, y=y, mode="lines", name="front", line={"shape": "hv", "color": "#7f7f7f", "width": 1, "dash": "dot"},
        hoverinfo="skip",
    )  # fmt: skip
