"""Rank maps side by side, and the difference of two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from triadapt.events import Matrix
from triadapt.figures.rank_map import PLANTED, rank_grid, rank_map

ROW, SMALLEST = 26, 120  # height in pixels
HEAD = 52
NUMBERED = 60  # cells, up to which their numbers are written


def small_map(matrices: Sequence[Matrix], ranks: NDArray[Any], *, title: str, ceiling: int) -> go.Figure:
    """One of several maps of the `ranks` `(n,)` under a common scale from 0 to `ceiling`; see `rank_scale`."""
    figure = rank_map(matrices, ranks, ceiling=ceiling)
    figure.update_traces(showscale=False)
    return _small(figure, matrices, title)


def rank_scale(ceiling: int) -> go.Figure:
    """The colour scale of the maps alone, lying on its side."""
    marks = np.arange(ceiling + 1)
    figure = go.Figure(
        go.Heatmap(
            z=marks[None, :], x=marks, zmin=0, zmax=ceiling, colorscale="Cividis", showscale=False, xgap=1,
            hovertemplate="rank %{x}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_layout(
        height=66,
        margin={"l": 40, "r": 10, "t": 4, "b": 40},
        xaxis={"dtick": max(1, -(-ceiling // 12)), "fixedrange": True, "showgrid": False, "zeroline": False},
        yaxis={"visible": False, "fixedrange": True},
    )
    return figure


def difference_map(
    matrices: Sequence[Matrix], first: NDArray[Any], second: NDArray[Any], *, title: str, other: Sequence[Matrix] = ()
) -> go.Figure:
    """Heatmap of `first - second`, both `(n,)` ranks of `matrices`; zero is neutral, both sides reach equally far.

    What is planted on `matrices` is outlined; `other`, the same matrices under another truth, is outlined dotted.
    """
    layers, modules, grid = rank_grid(matrices, np.asarray(first, np.int64) - np.asarray(second, np.int64))
    reach = max(1, int(np.nanmax(np.abs(grid), initial=0)))
    figure = go.Figure(
        go.Heatmap(
            z=grid, x=modules, y=[f"L{layer}" for layer in layers], zmin=-reach, zmax=reach, colorscale="RdBu",
            xgap=1, ygap=1, text=_signed(grid), texttemplate="%{text}" if grid.size <= NUMBERED else None,
            colorbar={"thickness": 12, "len": 1.2, "tickvals": [-reach, 0, reach],
                      "ticktext": [f"-{reach}", "0", f"+{reach}"]},
            hovertemplate="%{y}.%{x}: %{z:+d}<extra></extra>",
        )
    )  # fmt: skip
    for truth, dash in ((matrices, "solid"), (other, "dot")):
        for matrix in truth:
            if matrix.planted_rank:
                column, row = modules.index(matrix.module), layers.index(matrix.layer)
                inset = 0.0 if dash == "solid" else 0.08
                figure.add_shape(
                    type="rect", x0=column - 0.46 + inset, x1=column + 0.46 - inset, y0=row - 0.44 + inset,
                    y1=row + 0.44 - inset, line={"color": PLANTED, "width": 2, "dash": dash},
                )  # fmt: skip
    return _small(figure, matrices, title)


def _signed(grid: NDArray[np.float64]) -> list[list[str]]:
    return [["" if np.isnan(value) else f"{value:+.0f}" if value else "0" for value in row] for row in grid]


def _small(figure: go.Figure, matrices: Sequence[Matrix], title: str) -> go.Figure:
    layers = len({matrix.layer for matrix in matrices})
    figure.update_layout(
        title={"text": f"<b>{title}</b>", "font": {"size": 13}, "x": 0, "xanchor": "left", "y": 0.98, "yanchor": "top"},
        height=max(SMALLEST, min(ROW * layers + HEAD + 8, 460)),
        margin={"l": 34, "r": 6, "t": HEAD - 22, "b": 24},
        xaxis={"fixedrange": True},
        yaxis={"fixedrange": True},
    )
    return figure
