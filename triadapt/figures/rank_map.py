"""Rank map as a figure: rows are layers from the bottom, columns the places in a block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from triadapt.events import Matrix

ORDER = ("qkv", "q", "k", "v", "o", "gate_up", "gate", "up", "down")
PLANTED = "#D55E00"


def rank_grid(matrices: Sequence[Matrix], values: NDArray[Any]) -> tuple[list[int], list[str], NDArray[np.float64]]:
    """Layers, modules and `values` `(n,)` laid out as `(layers, modules)`, NaN where a layer lacks the module."""
    layers = sorted({matrix.layer for matrix in matrices})
    found = dict.fromkeys(matrix.module for matrix in matrices)
    modules = sorted(found, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
    grid = np.full((len(layers), len(modules)), np.nan)
    for matrix, value in zip(matrices, values, strict=True):
        grid[layers.index(matrix.layer), modules.index(matrix.module)] = value
    return layers, modules, grid


def rank_map(
    matrices: Sequence[Matrix], ranks: NDArray[Any], *, title: str = "", ceiling: int | None = None
) -> go.Figure:
    """Heatmap of the `ranks` `(n,)` of `matrices`, planted ones outlined.

    `ceiling` fixes the top of the colour scale so that several maps can be compared.
    """
    layers, modules, grid = rank_grid(matrices, ranks)
    top = ceiling if ceiling is not None else max(1, int(np.nanmax(grid, initial=1)))
    figure = go.Figure(
        go.Heatmap(
            z=grid,
            x=modules,
            y=[f"L{layer}" for layer in layers],
            zmin=0,
            zmax=top,
            colorscale="Cividis",
            xgap=1,
            ygap=1,
            colorbar={"title": "rank", "thickness": 12, "dtick": max(1, -(-top // 8))},
            texttemplate="%{z:d}" if grid.size <= 60 else None,
            hovertemplate="%{y}.%{x}: rank %{z:d}<extra></extra>",
        )
    )
    for matrix in matrices:
        if matrix.planted_rank:
            column, row = modules.index(matrix.module), layers.index(matrix.layer)
            figure.add_shape(
                type="rect",
                x0=column - 0.46,
                x1=column + 0.46,
                y0=row - 0.44,
                y1=row + 0.44,
                line={"color": PLANTED, "width": 2},
            )
    figure.update_layout(title=title, margin={"l": 40, "r": 10, "t": 40 if title else 10, "b": 30})
    return figure
