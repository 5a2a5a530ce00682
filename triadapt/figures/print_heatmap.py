"""The ranks at the end as papers print them: layers to the right, modules downwards, a number in each cell, a panel a
run.

Two pictures of the same: SVG text that needs nothing but a file, and a Plotly figure for the page. White background,
8 point letters without serifs, lengths in points (1/72 inch) as printed.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale, sequential, unlabel_rgb
from plotly.subplots import make_subplots

from triadapt.figures.rank_map import PLANTED, rank_grid
from triadapt.views.final_ranks import RankPanel

WIDTHS = {"one column": 3.3, "two columns": 6.9}
DPI = 300
FONT = "Arial, Helvetica, sans-serif"
SIZE = 8.0
TITLE, FOOT, BAR, EDGE = 16.0, 24.0, 34.0, 3.0
SMALLEST_NUMBER, SMALLEST_CELL, WIDEST_CELL = 4.5, 9.5, 60.0


@dataclass(frozen=True)
class _Sheet:
    """Where everything stands on a sheet `width` points wide."""

    panels: Sequence[RankPanel]
    width: float

    @cached_property
    def grids(self) -> list[tuple[list[int], list[str], np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
        """Of each panel: layers, modules, ranks and planted ranks as `(modules, layers)`, NaN where there is none."""
        found = []
        for panel in self.panels:
            layers, modules, ranks = rank_grid(panel.matrices, panel.ranks)
            planted = np.array([matrix.planted_rank or 0 for matrix in panel.matrices])
            found.append((layers, modules, ranks.T, rank_grid(panel.matrices, planted)[2].T))
        return found

    @property
    def top(self) -> int:
        """Highest rank of the colours. An effective rank, which may be as large as a matrix, would wash out others."""
        allotted = [panel for panel in self.panels if not panel.effective]
        return max(1, *(int(panel.ranks.max(initial=1)) for panel in allotted or self.panels))

    @property
    def left(self) -> float:
        """Room for the names of the modules."""
        return 0.6 * SIZE * max(len(name) for _, modules, _, _ in self.grids for name in modules) + 8

    @property
    def columns(self) -> int:
        wide = self.width > 72 * 5 and len(self.panels) > 1
        return 2 if wide and self._cell_width(2) >= SMALLEST_CELL else 1

    def _cell_width(self, columns: int) -> float:
        most = max(len(layers) for layers, *_ in self.grids)
        return min((self.width - BAR - EDGE) / columns - self.left - EDGE, most * WIDEST_CELL) / most

    @property
    def cell(self) -> tuple[float, float]:
        width = self._cell_width(self.columns)
        return width, max(9.0, min(15.0, 0.8 * width))

    @property
    def number(self) -> float:
        """Size of the numbers, 0 where they would be too small to read."""
        digits = max(len(str(int(panel.ranks.max(initial=1)))) for panel in self.panels)
        size = min(SIZE, self.cell[0] / (0.62 * digits), 0.75 * self.cell[1])
        return size if size >= SMALLEST_NUMBER else 0.0

    @property
    def rows(self) -> int:
        return -(-len(self.panels) // self.columns)

    @property
    def tall(self) -> float:
        """Height of a panel with its title and the layers below."""
        return TITLE + self.cell[1] * max(len(modules) for _, modules, _, _ in self.grids) + FOOT

    @property
    def height(self) -> float:
        return self.rows * self.tall + (SIZE + 4 if self.planted else 0)

    @property
    def planted(self) -> bool:
        return any((planted > 0).any() for *_, planted in self.grids)

    def corner(self, at: int) -> tuple[float, float]:
        """Upper left corner of the cells of panel `at`."""
        pitch = (self.width - BAR - EDGE) / self.columns
        return (at % self.columns) * pitch + self.left, (at // self.columns) * self.tall + TITLE

    def label_every(self, layers: Sequence[int]) -> int:
        return math.ceil((0.6 * SIZE * len(str(max(layers))) + 3) / self.cell[0])


def _checked(panels: Sequence[RankPanel], width: float) -> _Sheet:
    if not panels:
        raise ValueError("no run has adapted matrices yet: there are no ranks to draw")
    if not 1 <= width <= 40:
        raise ValueError(f"width = {width:g}: give inches from 1 to 40; columns of papers are 3.3 and 6.9 wide")
    return _Sheet(panels, width * 72)


def _title(panel: RankPanel) -> str:
    return f"{panel.label}, {'effective' if panel.effective else 'total'} rank {panel.total}"


def _colour(share: float) -> tuple[str, str]:
    """Fill and ink of a cell."""
    (fill,) = sample_colorscale(sequential.Cividis, [min(1.0, max(0.0, share))])
    red, green, blue = unlabel_rgb(fill)
    shown = f"#{round(red):02x}{round(green):02x}{round(blue):02x}"
    return shown, "#ffffff" if 0.3 * red + 0.59 * green + 0.11 * blue < 150 else "#222222"


def heatmap_svg(panels: Sequence[RankPanel], *, width: float = 6.9) -> str:
    """The picture as an SVG document `width` inches wide, one colour scale for all panels, planted matrices outlined.

    Numbers are left out where they would be smaller than 4.5 points. Raises ValueError without panels and for a width
    outside 1 to 40.
    """
    sheet = _checked(panels, width)
    names = html.escape("; ".join(_title(panel) for panel in panels))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}in" height="{sheet.height / 72:.3f}in" '
        f'viewBox="0 0 {sheet.width:.1f} {sheet.height:.1f}" font-family="{FONT}" font-size="{SIZE:g}" role="img" '
        f'aria-label="Rank of every matrix at the end. {names}">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for at in range(len(panels)):
        parts += _panel_svg(sheet, at)
    parts += _bar_svg(sheet)
    if sheet.planted:
        y = sheet.height - SIZE - 2
        frame = f'fill="none" stroke="{PLANTED}" stroke-width="1.2"'
        parts.append(f'<rect x="{EDGE}" y="{y:.2f}" width="7" height="7" {frame}/>')
        parts.append(f'<text x="{EDGE + 11}" y="{y + 6.6:.1f}">rank is planted here</text>')
    return "\n".join([*parts, "</svg>\n"])


def _panel_svg(sheet: _Sheet, at: int) -> list[str]:
    left, top = sheet.corner(at)
    wide, high = sheet.cell
    layers, modules, ranks, planted = sheet.grids[at]
    title = html.escape(_title(sheet.panels[at]))
    parts = [f'<text x="{left:.2f}" y="{top - 4:.2f}" font-weight="bold">{title}</text>']
    outlines = []
    for row, module in enumerate(modules):
        middle = top + (row + 0.5) * high
        parts.append(f'<text x="{left - 3:.2f}" y="{middle + 2.8:.2f}" text-anchor="end">{html.escape(module)}</text>')
        for column in range(len(layers)):
            if np.isnan(ranks[row, column]):
                continue
            x, y, rank = left + column * wide, top + row * high, int(ranks[row, column])
            fill, ink = _colour(rank / sheet.top)
            parts.append(
                f'<rect x="{x + 0.25:.2f}" y="{y + 0.25:.2f}" width="{wide - 0.5:.2f}" '
                f'height="{high - 0.5:.2f}" fill="{fill}"/>'
            )
            if sheet.number:
                parts.append(
                    f'<text x="{x + wide / 2:.2f}" y="{middle + 0.35 * sheet.number:.2f}" text-anchor="middle" '
                    f'font-size="{sheet.number:.2f}" fill="{ink}">{rank}</text>'
                )
            if planted[row, column] > 0:
                outlines.append(
                    f'<rect x="{x + 0.8:.2f}" y="{y + 0.8:.2f}" width="{wide - 1.6:.2f}" height="{high - 1.6:.2f}" '
                    f'fill="none" stroke="{PLANTED}" stroke-width="1.2"/>'
                )
    bottom = top + len(modules) * high
    for column in range(0, len(layers), sheet.label_every(layers)):
        x = left + (column + 0.5) * wide
        parts.append(f'<text x="{x:.2f}" y="{bottom + SIZE + 1:.2f}" text-anchor="middle">{layers[column]}</text>')
    x = left + len(layers) * wide / 2
    parts.append(f'<text x="{x:.2f}" y="{bottom + 2 * SIZE + 2:.2f}" text-anchor="middle">layer</text>')
    return parts + outlines


def _bar_svg(sheet: _Sheet) -> list[str]:
    left, top, tall = sheet.width - BAR + 8, TITLE, sheet.tall - TITLE - FOOT
    parts = [f'<text x="{left:.2f}" y="{top - 4:.2f}">rank</text>']
    steps = min(sheet.top + 1, 64)
    for step in range(steps):
        y = top + tall * (1 - (step + 1) / steps)
        fill = _colour(step / (steps - 1))[0]
        parts.append(f'<rect x="{left:.2f}" y="{y:.2f}" width="8" height="{tall / steps + 0.2:.2f}" fill="{fill}"/>')
    every = _tick(sheet.top)
    for rank in range(0, sheet.top + 1, every):
        # A rank stands in the middle of its own colour.
        y = top + tall * (1 - (rank + 0.5) / (sheet.top + 1))
        parts.append(f'<text x="{left + 11:.2f}" y="{y + 2.8:.2f}">{rank}</text>')
    return parts


def _tick(top: int) -> int:
    return next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 10**9) if top / step <= 5)


def print_heatmap(panels: Sequence[RankPanel], *, width: float = 6.9) -> go.Figure:
    """The same as a Plotly figure, in pixels of 1/96 inch. Raises ValueError as `heatmap_svg`."""
    sheet = _checked(panels, width)
    per = 96 / 72
    figure = make_subplots(rows=sheet.rows, cols=sheet.columns, subplot_titles=[_title(panel) for panel in panels])
    wide, high = sheet.width * per, sheet.height * per
    for at, (layers, modules, ranks, planted) in enumerate(sheet.grids):
        suffix = str(at + 1) if at else ""
        left, top = (value * per for value in sheet.corner(at))
        right, bottom = left + len(layers) * sheet.cell[0] * per, top + len(modules) * sheet.cell[1] * per
        figure.add_trace(
            go.Heatmap(
                z=ranks, x=layers, y=modules, coloraxis="coloraxis", xgap=0.7, ygap=0.7,
                texttemplate="%{z:d}" if sheet.number else None, textfont={"size": max(1.0, sheet.number) * per},
                hovertemplate="layer %{x}, %{y}: rank %{z:d}<extra></extra>",
            ),
            row=at // sheet.columns + 1, col=at % sheet.columns + 1,
        )  # fmt: skip
        figure.layout[f"xaxis{suffix}"].update(
            domain=[left / wide, right / wide], ticks="", showgrid=False, type="category", tickangle=0,
            dtick=sheet.label_every(layers), title={"text": "layer", "standoff": 2, "font": {"size": SIZE * per}},
        )  # fmt: skip
        figure.layout[f"yaxis{suffix}"].update(
            domain=[1 - bottom / high, 1 - top / high], autorange="reversed", type="category", ticks="", showgrid=False
        )
        figure.layout.annotations[at].update(
            x=left / wide, y=1 - top / high, xanchor="left", yanchor="bottom", font={"size": SIZE * per, "weight": 700}
        )
        for row, column in np.argwhere(planted > 0).tolist():
            figure.add_shape(
                type="rect", xref=f"x{suffix}", yref=f"y{suffix}", x0=column - 0.45, x1=column + 0.45, y0=row - 0.43,
                y1=row + 0.43, line={"color": PLANTED, "width": 1.6},
            )  # fmt: skip
    bar = {
        "title": {"text": "rank", "font": {"size": SIZE * per}}, "thickness": 8 * per, "outlinewidth": 0,
        "dtick": _tick(sheet.top), "tickfont": {"size": SIZE * per}, "x": 1 - (BAR - 8) / sheet.width,
        "xanchor": "left", "xpad": 0, "y": 1, "yanchor": "top", "ypad": 0,
        "len": (sheet.tall - FOOT + 4) / sheet.height,
    }  # fmt: skip
    figure.update_layout(
        width=round(wide), height=round(high), margin={"l": 0, "r": 0, "t": 0, "b": 0}, template="plotly_white",
        paper_bgcolor="#ffffff", plot_bgcolor="#ffffff", font={"family": FONT, "size": SIZE * per, "color": "#111111"},
        coloraxis={"colorscale": "Cividis", "cmin": 0, "cmax": sheet.top, "colorbar": bar},
    )  # fmt: skip
    if sheet.planted:
        figure.add_annotation(
            text=f'<span style="color:{PLANTED}">□</span> rank is planted here', x=0, y=0, xref="paper", yref="paper",
            xanchor="left", yanchor="bottom", showarrow=False,
        )  # fmt: skip
    return figure


def picture_options(name: str, form: str, figure: go.Figure) -> dict[str, Any]:
    """Plotly's settings under which the camera of `figure` saves it as `form`, `svg` or `png`, the latter with 300 dots
    an inch, at the size of the paper whatever the window's is."""
    saved = {"width": figure.layout.width, "height": figure.layout.height, "scale": DPI / 96 if form == "png" else 1}
    return {
        "displaylogo": False, "modeBarButtons": [["toImage"]], "responsive": False,
        "toImageButtonOptions": {"format": form, "filename": name, **saved},
    }  # fmt: skip
