"""Every trial as a line across its fields to its metric."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from triadapt.figures.sweep_style import method_look, metric_colours, quiet_layout, said, short, word
from triadapt.runs.info import Scalar
from triadapt.sweeps.record import StudyRecord
from triadapt.views.sweep.slices import METHOD, is_log, is_steps, scored, values_of

BINS = 12
MARKS = 5


def parallel_lines(study: StudyRecord) -> go.Figure:
    """Axes side by side: the method where it is swept, the fields, the metric; a line a trial, coloured by its metric
    in `BINS` steps. Plain lines, for Plotly's own chart of this kind needs a graphics card. A trial whose method does
    not use a field has a gap there. `customdata` of a point is the number of its trial."""
    trials = scored(study)
    names = [*study.fields, study.info.metric]
    values = np.array([trial.value for trial in trials], float)
    places = [[_place(study, trial, name) for name in study.fields] for trial in trials]
    heights = _spread(values)
    figure = go.Figure()
    shades = np.minimum((heights * BINS).astype(int), BINS - 1) if len(trials) else np.zeros(0, int)
    order = np.argsort(heights if study.info.higher_is_better else -heights, kind="stable")
    for shade in dict.fromkeys(shades[order]):
        own = [int(i) for i in order if shades[i] == shade]
        x: list[float | None] = []
        y: list[float | None] = []
        text: list[str] = []
        numbers: list[int | None] = []
        for i in own:
            x += [*range(len(names)), None]
            y += [*places[i], float(heights[i]), None]
            text += [said(trials[i])] * len(names) + [""]
            numbers += [trials[i].number] * len(names) + [None]
        figure.add_scatter(
            x=x, y=y, mode="lines+markers", hoverinfo="text", hovertext=text, customdata=numbers, showlegend=False,
            line={"width": 1.3, "color": _colour((shade + 0.5) / BINS, study.info.higher_is_better)},
            marker={"size": 4}, opacity=0.8,
        )  # fmt: skip
    for at, name in enumerate(names):
        _add_axis(figure, study, at, name, values)
    colours = metric_colours(list(values), study.info.metric, study.info.higher_is_better)
    figure.add_scatter(x=[None], y=[None], mode="markers", marker={"coloraxis": "coloraxis"}, showlegend=False)
    return quiet_layout(
        figure, 400, coloraxis=colours, margin={"l": 40, "r": 16, "t": 40, "b": 20},
        xaxis={"visible": False, "range": [-0.25, len(names) - 0.75], "fixedrange": True},
        yaxis={"visible": False, "range": [-0.06, 1.12], "fixedrange": True},
    )  # fmt: skip


def _place(study: StudyRecord, trial: object, name: str) -> float | None:
    point = getattr(trial, "point")  # noqa: B009
    if name == METHOD and name not in point:
        return None
    if name not in point:
        return None
    known = values_of(study, name)
    if is_steps(study, name):
        return known.index(point[name]) / max(1, len(known) - 1)
    numbers = np.array([float(value) for value in known])
    scale = np.log if is_log(study, name) else np.asarray
    low, high = float(scale(numbers.min())), float(scale(numbers.max()))
    return (float(scale(float(point[name]))) - low) / (high - low) if high > low else 0.5


def _spread(values: np.ndarray) -> np.ndarray:
    if not len(values) or values.max() == values.min():
        return np.full(len(values), 0.5)
    return np.asarray((values - values.min()) / (values.max() - values.min()))


def _add_axis(figure: go.Figure, study: StudyRecord, at: int, name: str, values: np.ndarray) -> None:
    figure.add_shape(type="line", x0=at, x1=at, y0=0, y1=1, line={"width": 1, "color": "#8c8c8c"}, layer="below")
    figure.add_annotation(x=at, y=1.1, text=f"<b>{word(name)}</b>", showarrow=False)
    if name == study.info.metric and at == len(study.fields):
        ends = (values.min(), values.max()) if len(values) else (0.0, 1.0)
        marks = [(share, f"{ends[0] + share * (ends[1] - ends[0]):.3g}") for share in (0.0, 0.5, 1.0)]
    else:
        known = values_of(study, name)
        if is_steps(study, name):
            marks = [(i / max(1, len(known) - 1), _label(name, value)) for i, value in enumerate(known)]
        else:
            marks = [(0.0, short(known[0])), (1.0, short(known[-1]))] if known else []
    for height, text in marks[:: max(1, len(marks) // (2 * MARKS))]:
        figure.add_annotation(
            x=at,
            y=height,
            text=text,
            showarrow=False,
            xanchor="right",
            xshift=-4,
            yshift=9,
            font={"size": 12, "shadow": "auto"},
        )


def _label(name: str, value: Scalar) -> str:
    return method_look(str(value))[0] if name == METHOD else short(value)


def _colour(share: float, higher_is_better: bool) -> str:

    return str(sample_colorscale("Viridis", [share if higher_is_better else 1 - share])[0])
