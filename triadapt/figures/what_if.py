"""Total rank of a run and of its replay, as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go


def replayed_totals(curves: Sequence[dict[str, Any]], *, total_step: int) -> go.Figure:
    """Stairs of the total rank, a mark at each rank event.

    curves: `label`, `colour`, `dash`, `symbol`, `start` (total rank before any event), `steps` and `totals` of the
    events, `last` (the step the curve goes to) and `target`.
    """
    figure = go.Figure()
    for curve in curves:
        colour, label = curve["colour"], curve["label"]
        x = [0, *curve["steps"], curve["last"]]
        y = [curve["start"], *curve["totals"]]
        figure.add_scatter(
            x=x, y=[*y, y[-1]], name=label, mode="lines+markers",
            line={"shape": "hv", "color": colour, "dash": curve["dash"], "width": 2},
            marker={"size": [0, *[7] * len(curve["steps"]), 0], "symbol": curve["symbol"], "color": colour},
            hovertemplate=f"{label}, step %{{x}}: %{{y}}<extra></extra>",
        )  # fmt: skip
    for target in sorted({curve["target"] for curve in curves}):
        figure.add_hline(y=target, line={"dash": "dot", "width": 1, "color": "#7f7f7f"})
        figure.add_annotation(
            x=0, xref="paper", xanchor="left", y=target, yanchor="bottom", text=f"budget {target}", showarrow=False,
            font={"size": 11, "color": "#7f7f7f"},
        )  # fmt: skip
    figure.update_layout(
        xaxis={"title": "step", "range": [0, total_step], "fixedrange": True},
        yaxis={"title": "total rank", "fixedrange": True, "rangemode": "normal"},
        height=300,
        margin={"l": 50, "r": 10, "t": 34, "b": 40},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
    )
    return figure
