"""Curves of several runs on one axis; runs that differ in their seed alone as a band."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from triadapt.views.compare.curves import Curve, Spread
from triadapt.views.thinning import keep_extremes

MOST_POINTS = 12_000  # of all lines together: they are SVG
# Several groups of one method share its colour and dash; the marks tell them apart.
SYMBOLS = ("", "circle", "square", "diamond", "triangle-up", "cross", "x", "star")
MARKS = 9  # at most so many on a line


def compare_curves(
    groups: Sequence[dict[str, Any]], *, axis: str, quantity: str, log: bool = False, joined: bool = True
) -> go.Figure:
    """Lines of groups of runs.

    groups: `label`, `colour`, `dash`, `place` (counts the groups of one method), `runs` as pairs of a label and a
    `Curve`, and `spread`, a `Spread` or None. With a spread the single runs are faint. joined: whether the points of a
    curve follow from one another closely enough for a line alone; else each is marked.
    """
    figure = go.Figure()
    lines = sum(len(group["runs"]) for group in groups)
    limit = max(40, MOST_POINTS // max(1, lines))
    for number, group in enumerate(groups):
        band: Spread | None = group["spread"]
        symbol = SYMBOLS[group["place"] % len(SYMBOLS)]
        line = {"color": group["colour"], "dash": group["dash"]}
        if band is not None:
            _add_band(figure, band, group, number)
        for position, (label, curve) in enumerate(group["runs"]):
            points = _thinned(curve, limit)
            faint = band is not None
            figure.add_scatter(
                x=points.x, y=points.y, name=group["label"], legendgroup=str(number),
                showlegend=not faint and position == 0, opacity=0.28 if faint else 1.0,
                line={**line, "width": 1 if faint else 1.8, "shape": "hv" if curve.held else "linear"},
                **({"mode": "lines"} if faint else _marked(symbol, joined)),
                hovertemplate=f"{label}, {axis} %{{x}}: %{{y:.4g}}<extra></extra>",
            )  # fmt: skip
        if band is not None:
            held = group["runs"][0][1].held
            figure.add_scatter(
                x=band.x, y=band.mean, name=group["label"], legendgroup=str(number),
                line={**line, "width": 2.2, "shape": "hv" if held else "linear"}, **_marked(symbol, joined),
                hovertemplate=f"{group['label']}, mean of {len(group['runs'])}, {axis} %{{x}}: %{{y:.4g}}"
                "<extra></extra>",
            )  # fmt: skip
    figure.update_layout(
        xaxis={"title": AXIS_TITLES.get(axis, axis)},
        yaxis={"title": quantity, **({"type": "log", "range": _log_range(groups)} if log else {})},
        height=420,
        margin={"l": 60, "r": 10, "t": 10, "b": 40},
        legend={"orientation": "h", "y": -0.2, "yanchor": "top", "x": 0},
        hovermode="closest",
    )
    return figure


AXIS_TITLES = {"time": "seconds of running time", "parameters": "trainable parameters"}


def _add_band(figure: go.Figure, band: Spread, group: dict[str, Any], number: int) -> None:
    held = group["runs"][0][1].held
    for y, fill in ((band.low, None), (band.high, "tonexty")):
        figure.add_scatter(
            x=band.x, y=y, mode="lines", line={"width": 0, "shape": "hv" if held else "linear"}, fill=fill,
            fillcolor=_faint(group["colour"]), legendgroup=str(number), showlegend=False, hoverinfo="skip",
        )  # fmt: skip


def _marked(symbol: str, joined: bool) -> dict[str, Any]:
    if joined and not symbol:
        return {"mode": "lines"}
    marker: dict[str, Any] = {"size": 8 if symbol else 6, "symbol": symbol or "circle"}
    if joined:
        marker["maxdisplayed"] = MARKS
    return {"mode": "lines+markers", "marker": marker}


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"


def _thinned(curve: Curve, limit: int) -> Curve:
    kept = keep_extremes(curve.y, limit)
    return Curve(curve.x[kept], curve.y[kept], curve.held)


def _log_range(groups: Sequence[dict[str, Any]]) -> list[float] | None:
    """By the runs alone: an interval of the mean may reach below zero, where a logarithm ends."""
    values: list[NDArray[np.float64]] = [curve.y[curve.y > 0] for group in groups for _, curve in group["runs"]]
    found = np.concatenate(values) if values else np.zeros(0)
    found = found[np.isfinite(found)]
    if not found.size:
        return None
    low, high = float(np.log10(found.min())), float(np.log10(found.max()))
    pad = max(0.03, 0.05 * (high - low))
    return [low - pad, high + pad]
