"""The metric along one swept field, a line a method with a band over seeds."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from triadapt.figures.sweep_style import better, method_look, quiet_layout, said, short, word
from triadapt.runs.info import Scalar
from triadapt.sweeps.points import points_of
from triadapt.sweeps.record import StudyRecord
from triadapt.views.sweep.slices import (
    Place,
    along,
    is_log,
    is_steps,
    method_of,
    methods_of,
    place_of,
    scored_in,
    values_of,
    where,
)


def field_lines(study: StudyRecord, x: str, held: Mapping[str, Scalar]) -> go.Figure:
    """Means over seeds with their 95 % intervals, each trial a point behind them.

    Other swept fields stand where `held` says; over those it does not name each seed's mean is taken first, so that
    the band is about seeds alone. Where every point at a value lost a seed, what is left is an open mark beside the
    line. A method that does not use the field is a level line. `customdata` of a point is the number of its trial.
    """
    figure = go.Figure()
    points = where(points_of(study.trials), held)
    order = values_of(study, x)
    steps = is_steps(study, x)
    for method in methods_of(study):
        own = [tried for tried in points if method_of(study, tried) == method]
        label, colour, dash = method_look(method)
        raw = scored_in(tried for tried in own if x in tried.point)
        if not raw:
            _add_level(figure, place_of("", own), label, colour, dash)
            continue
        every = along(own, x, order)
        places = [place for place in every if place.counts]
        at = [_at(place, order, steps) for place in places]
        if any(len(place.by_seed) > 1 for place in places):
            figure.add_scatter(
                x=[*at, *reversed(at)], y=[place.high for place in places] + [place.low for place in reversed(places)],
                fill="toself", fillcolor=_faint(colour), line={"width": 0}, mode="lines", legendgroup=method,
                showlegend=False, hoverinfo="skip",
            )  # fmt: skip
        figure.add_scatter(
            x=[order.index(trial.point[x]) if steps else trial.point[x] for trial in raw],
            y=[trial.value for trial in raw], mode="markers", opacity=0.55, legendgroup=method, showlegend=False,
            marker={"color": colour, "size": 6}, hoverinfo="text", hovertext=[said(trial) for trial in raw],
            customdata=[trial.number for trial in raw],
        )  # fmt: skip
        figure.add_scatter(
            x=at, y=[place.mean for place in places], mode="lines+markers", name=label, legendgroup=method,
            line={"color": colour, "dash": dash, "width": 2}, marker={"size": 8}, hoverinfo="text",
            hovertext=[_told(place, label, x) for place in places],
        )  # fmt: skip
        broken = [place for place in every if not place.counts]
        if broken:
            figure.add_scatter(
                x=[_at(place, order, steps) for place in broken], y=[place.mean for place in broken], mode="markers",
                name=f"{label}, seeds lost", legendgroup=method, showlegend=False, hoverinfo="text",
                marker={"size": 9, "symbol": "circle-open", "color": colour},
                hovertext=[_told(place, label, x) for place in broken],
            )  # fmt: skip
    axis: dict[str, object] = {"type": "log"} if is_log(study, x) else {}
    if steps:
        axis = {"tickvals": list(range(len(order))), "ticktext": [short(value) for value in order]}
    title = f"{study.info.metric} ({better(study.info.higher_is_better)})"
    return quiet_layout(figure, 420, xaxis={"title": word(x), **axis}, yaxis={"title": title})


def _at(place: Place, order: list[Scalar], steps: bool) -> Scalar:
    return order.index(place.at) if steps else place.at


def _told(place: Place, label: str, x: str) -> str:
    between = f", 95 % {place.low:.4g} to {place.high:.4g}" if place.low < place.high else ""
    return f"{label}, {word(x)} {short(place.at)}<br><b>{place.mean:.4g}</b>{between}<br>{place.standing}"


def _add_level(figure: go.Figure, place: Place | None, label: str, colour: str, dash: str) -> None:
    if place is None:
        return
    lost = "" if place.counts else f"; {place.standing}"
    figure.add_scatter(
        x=[0, 1], y=[place.mean] * 2, mode="lines", name=f"{label} (does not use it{lost})", xaxis="x2",
        line={"color": colour, "dash": dash, "width": 1.5}, opacity=1.0 if place.counts else 0.4, hoverinfo="name+y",
    )  # fmt: skip
    figure.update_layout(xaxis2={"overlaying": "x", "range": [0, 1], "visible": False, "fixedrange": True})


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.16)"
