"""Curves of all trials of a study while they train, and the importance of its fields."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from triadapt.figures.sweep_style import GREY, better, method_look, quiet_layout, said, word
from triadapt.sweeps.record import StudyRecord
from triadapt.views.sweep.slices import method_of


def trial_curves(study: StudyRecord) -> go.Figure:
    """The metric of every trial at its evaluations; those that were ended early or failed are grey. `customdata` of a
    point is the number of its trial."""
    figure = go.Figure()
    named: set[str] = set()
    for trial in study.trials:
        if not trial.intermediate:
            continue
        label, colour, dash = method_look(method_of(study, trial))
        if trial.state in ("pruned", "failed"):
            label, colour, dash = f"{trial.state}", GREY, "solid"
        steps, values = zip(*trial.intermediate, strict=True)
        figure.add_scatter(
            x=steps, y=values, mode="lines" if len(steps) > 1 else "markers", marker={"color": colour},
            line={"color": colour, "dash": dash, "width": 1.4}, name=label,
            legendgroup=label, showlegend=label not in named, opacity=0.85 if trial.ended else 1.0, hoverinfo="text",
            hovertext=[f"step {step}: {value:.4g}<br>{said(trial)}" for step, value in trial.intermediate],
            customdata=[trial.number] * len(steps),
        )  # fmt: skip
        named.add(label)
    info = study.info
    return quiet_layout(
        figure, 400, xaxis={"title": "step"}, yaxis={"title": f"{info.metric} ({better(info.higher_is_better)})"}
    )


def field_importance(shares: Mapping[str, float]) -> go.Figure:
    """Bars of how much of the metric's variation each field explains, largest first. shares: by field, sum 1."""
    order = sorted(shares, key=lambda name: shares[name])
    figure = go.Figure()
    figure.add_bar(
        x=[shares[name] for name in order], y=[word(name) for name in order], orientation="h",
        marker={"color": "#0072B2"}, text=[f"{shares[name]:.0%}" for name in order], textposition="outside",
        cliponaxis=False, hoverinfo="skip", width=0.6,
    )  # fmt: skip
    return quiet_layout(
        figure, 90 + 44 * len(order), margin={"l": 140, "r": 50, "t": 10, "b": 40},
        xaxis={"title": "share of the metric's variation", "range": [0, 1.08], "tickformat": ".0%"},
    )  # fmt: skip
