"""The metric over two swept fields, a map a method: what was measured, and nothing between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from triadapt.figures.sweep_style import GREY, method_look, metric_colours, quiet_layout, said, short, word
from triadapt.runs.info import Scalar
from triadapt.sweeps.points import TriedPoint, points_of
from triadapt.sweeps.record import StudyRecord, TrialRecord
from triadapt.views.sweep.slices import is_log, is_steps, method_of, methods_of, place_of, scored_in, values_of, where

BRIGHT = 0.5  # share of Viridis from which black is read better than white
SPREAD = 0.3  # of a cell: the points of a cell stand side by side in it


def response_map(study: StudyRecord, x: str, y: str, held: Mapping[str, Scalar]) -> go.Figure:
    """Fields `x` and `y` as axes, the metric as colour; other fields where `held` names them, else all of theirs.

    Where both fields have few values a cell is the mean over its points that count, and each trial a mark in it;
    otherwise there are marks only. A cell in which every point lost a seed has no colour, and what is left in brackets.
    `customdata` of a mark is the number of its trial.
    """
    points = [tried for tried in where(points_of(study.trials), held) if x in tried.point and y in tried.point]
    trials = scored_in(points)
    shown = {method_of(study, tried) for tried in points if tried.values or tried.broken}
    methods = [name for name in methods_of(study) if name in shown] or [""]
    titles = [method_look(name)[0] if name else "" for name in methods]
    figure = make_subplots(1, len(methods), subplot_titles=titles, shared_yaxes=True, horizontal_spacing=0.04)
    cells = is_steps(study, x) and is_steps(study, y)
    info = study.info
    values = [trial.value for trial in trials if trial.value is not None]
    colours = metric_colours(values, info.metric, info.higher_is_better)
    for column, method in enumerate(methods, start=1):
        own = [tried for tried in points if method_of(study, tried) == method]
        if cells:
            _add_cells(figure, study, own, x, y, column, colours)
        _add_points(figure, study, scored_in(own), x, y, column, cells)
        _axes(figure, study, x, y, column, cells)
    return quiet_layout(figure, 420, coloraxis=colours, showlegend=False)


def _add_cells(
    figure: go.Figure, study: StudyRecord, points: Sequence[TriedPoint], x: str, y: str, column: int,
    colours: Mapping[str, Any],
) -> None:  # fmt: skip
    across, up = values_of(study, x), values_of(study, y)
    mean = np.full((len(up), len(across)), np.nan)
    # Plotly would write NaN where there is no number.
    text, words = ([["" for _ in across] for _ in up] for _ in range(2))
    for i, high in enumerate(up):
        for j, wide in enumerate(across):
            found = [tried for tried in points if tried.point[x] == wide and tried.point[y] == high]
            place = place_of(wide, found)
            here = f"{word(x)} {short(wide)}, {word(y)} {short(high)}"
            if place is None:
                if any(tried.broken for tried in found):
                    text[i][j], words[i][j] = "lost", f"no seed came to a value<br>{here}"
                continue
            if place.counts:
                mean[i, j] = place.mean
            text[i][j] = f"{place.mean:.3g}" if place.counts else f"({place.mean:.3g})"
            interval = f", 95 % {place.low:.4g} to {place.high:.4g}" if place.low < place.high else ""
            words[i][j] = f"<b>{place.mean:.4g}</b>{interval}<br>{here}<br>{place.standing}"
    figure.add_heatmap(
        z=mean, coloraxis="coloraxis", xgap=1, ygap=1, hovertext=words, hoverinfo="text", text=text, row=1, col=column,
    )  # fmt: skip
    # Written on the cells by itself: Plotly's own numbers are grey where the page is light.
    places = [(i, j) for i in range(len(up)) for j in range(len(across)) if text[i][j]]
    figure.add_scatter(
        x=[j for _, j in places], y=[i for i, _ in places], mode="text", text=[text[i][j] for i, j in places],
        textfont={"size": 14, "color": [_ink(mean[i, j], colours) for i, j in places]}, hoverinfo="skip", row=1,
        col=column,
    )  # fmt: skip


def _ink(value: float, colours: Mapping[str, Any]) -> str:
    """The colour of a number that can be read on the cell of a value; on one without colour, on any page."""
    if np.isnan(value):
        return GREY
    low, high = colours["cmin"], colours["cmax"]
    bright = (value - low) / (high - low) if high > low else 0.5
    return "#000000" if (1 - bright if colours["reversescale"] else bright) > BRIGHT else "#ffffff"


def _add_points(
    figure: go.Figure, study: StudyRecord, trials: Sequence[TrialRecord], x: str, y: str, column: int, cells: bool
) -> None:
    def at(name: str, trial: TrialRecord) -> float | Scalar:
        return values_of(study, name).index(trial.point[name]) if cells else trial.point[name]

    across: list[float | Scalar] = [at(x, trial) for trial in trials]
    up: list[float | Scalar] = [at(y, trial) for trial in trials]
    if cells:
        for place in set(zip(across, up, strict=True)):
            own = [i for i, pair in enumerate(zip(across, up, strict=True)) if pair == place]
            shift = np.linspace(-SPREAD, SPREAD, len(own)) if len(own) > 1 else [0.0]
            for i, offset in zip(own, shift, strict=True):
                across[i], up[i] = float(place[0]) + float(offset), float(place[1]) - SPREAD
    figure.add_scatter(
        x=across, y=up, mode="markers", hoverinfo="text", hovertext=[said(trial) for trial in trials],
        customdata=[trial.number for trial in trials], row=1, col=column,
        marker={"color": [trial.value for trial in trials], "coloraxis": "coloraxis", "size": 7 if cells else 10,
                "line": {"width": 1, "color": "#ffffff"}},
    )  # fmt: skip


def _axes(figure: go.Figure, study: StudyRecord, x: str, y: str, column: int, cells: bool) -> None:
    for name, update in ((x, figure.update_xaxes), (y, figure.update_yaxes)):
        options: dict[str, object] = {"type": "log"} if is_log(study, name) else {}
        if cells:
            labels = [short(value) for value in values_of(study, name)]
            options = {"tickvals": list(range(len(labels))), "ticktext": labels, "showgrid": False, "zeroline": False}
        title = {"title": word(name)} if name == x or column == 1 else {}
        update(row=1, col=column, **title, **options)
