"""Agreement of the final ranks of each pair of runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

NUMBERED = 12  # runs, up to which the numbers are written


def agreement_map(correlations: NDArray[np.float64], labels: Sequence[str]) -> go.Figure:
    """Heatmap of `correlations` `(r, r)` from -1 to 1; a cell without a value is left empty. labels: of the runs."""
    count = len(labels)
    places = list(range(count))
    figure = go.Figure(
        go.Heatmap(
            z=correlations, x=places, y=places, zmin=-1, zmax=1, colorscale="RdBu", xgap=1, ygap=1,
            customdata=[[f"{labels[row]}<br>{labels[column]}" for column in places] for row in places],
            texttemplate="%{z:.2f}" if count <= NUMBERED else None,
            colorbar={"title": "ρ", "thickness": 12, "dtick": 0.5},
            hovertemplate="%{customdata}<br>ρ = %{z:.3f}<extra></extra>", hoverongaps=False,
        )
    )  # fmt: skip
    ticks = {"tickvals": places, "showgrid": False, "zeroline": False, "fixedrange": True}
    numbers = [str(place + 1) for place in places]
    figure.update_layout(
        xaxis={**ticks, "ticktext": numbers},
        yaxis={
            **ticks, "ticktext": [f"{label}  {number}" for label, number in zip(labels, numbers, strict=True)],
            "autorange": "reversed", "automargin": True,
        },
        height=90 + max(3, count) * (28 if count <= NUMBERED else 20),
        margin={"l": 10, "r": 10, "t": 10, "b": 30},
    )  # fmt: skip
    return figure
