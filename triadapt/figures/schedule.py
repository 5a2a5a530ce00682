"""Sketch of what a schedule will do to the total rank, before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

HEIGHT = 180


def schedule_sketch(plans: Sequence[dict[str, Any]]) -> go.Figure:
    """Planned total rank of each method as stairs, with the warm-up shaded and the target dotted. Small, transparent.

    plans: `label`, `colour`, `dash`, `steps` and `totals` (total rank from each step on; the first, at step 0, is the
    start), `target`, `total_step`, `warmup`.
    """
    figure = go.Figure()
    end = max((plan["total_step"] for plan in plans), default=1)
    for plan in plans:
        steps, totals = list(plan["steps"]), list(plan["totals"])
        if steps:
            steps.append(max(plan["total_step"], steps[-1]))
            totals.append(totals[-1])
        figure.add_scatter(
            x=steps,
            y=totals,
            name=plan["label"],
            mode="lines",
            line={"shape": "hv", "color": plan["colour"], "dash": plan["dash"], "width": 2},
            hovertemplate=f"{plan['label']}, from step %{{x}}: %{{y}}<extra></extra>",
        )
    for target in sorted({plan["target"] for plan in plans}):
        figure.add_hline(y=target, line={"dash": "dot", "width": 1, "color": "#7f7f7f"})
    warmup = max((plan["warmup"] for plan in plans), default=0)
    if warmup:
        figure.add_vrect(x0=0, x1=warmup, fillcolor="#7f7f7f", opacity=0.15, line_width=0)
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 30, "r": 6, "t": 6, "b": 22},
        showlegend=False,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        xaxis={"range": [0, end], "nticks": 5, "showgrid": False, "zeroline": False},
        yaxis={"nticks": 4, "rangemode": "tozero", "zeroline": False},
    )
    return figure
