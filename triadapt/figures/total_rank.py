"""Total rank over time against its target, as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go


def total_rank(runs: Sequence[dict[str, Any]], *, total_step: int) -> go.Figure:
    """Stairs of the total rank.

    runs: `label`, `colour`, `dash`, `start` (total rank at step 0), `steps` and `totals` of the rank events, `last`
    (the last step reached) and `target`.
    """
    figure = go.Figure()
    for run in runs:
        steps, totals = [0, *run["steps"]], [run["start"], *run["totals"]]
        figure.add_scatter(
            x=[*steps, max(run["last"], steps[-1])],
            y=[*totals, totals[-1]],
            name=run["label"],
            mode="lines",
            line={"shape": "hv", "color": run["colour"], "dash": run["dash"]},
            hovertemplate=f"{run['label']}, step %{{x}}: %{{y}}<extra></extra>",
        )
    for target in sorted({run["target"] for run in runs}):
        figure.add_hline(
            y=target, line={"dash": "dot", "width": 1, "color": "#7f7f7f"}, annotation_text=f"target {target}"
        )
    figure.update_layout(
        xaxis={"title": "step", "range": [0, total_step]},
        yaxis={"title": "total rank"},
        margin={"l": 50, "r": 10, "t": 10, "b": 40},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    )
    return figure
