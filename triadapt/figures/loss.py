"""Training loss as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from triadapt.views.thinning import keep_extremes

MOST_POINTS = 2000


def loss_curves(runs: Sequence[dict[str, Any]], *, total_step: int) -> go.Figure:
    """Loss of each run over the steps, on a logarithmic axis, at most 2000 points a line with the peaks kept.

    runs: `label`, `colour`, `dash`, `steps` `(m,)` and `losses` `(m,)`.
    """
    figure = go.Figure()
    for run in runs:
        losses = np.asarray(run["losses"], dtype=np.float64)
        kept = keep_extremes(losses, MOST_POINTS)
        figure.add_scatter(
            x=np.asarray(run["steps"])[kept],
            y=losses[kept],
            name=run["label"],
            mode="lines",
            line={"color": run["colour"], "dash": run["dash"], "width": 1.5},
            hovertemplate=f"{run['label']}, step %{{x}}: %{{y:.4g}}<extra></extra>",
        )
    figure.update_layout(
        xaxis={"title": "step", "range": [0, total_step]},
        yaxis={"title": "training loss", "type": "log"},
        margin={"l": 60, "r": 10, "t": 10, "b": 40},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    )
    return figure
