"""What the charts of a study share: axes of swept fields, the colours of a metric, words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from triadapt.methods.registry import METHODS
from triadapt.runs.info import Scalar
from triadapt.sweeps.record import Point, TrialRecord

WORDS = {
    "warmup": "warm-up", "interval": "interval", "reference_rank": "budget (average rank)", "growth": "growth mode",
    "learning_rate": "learning rate", "top_h": "top h", "add_r": "ranks a growth",
}  # fmt: skip
GREY = "#8c8c8c"


def word(name: str) -> str:
    """A swept field in the words of the page."""
    return WORDS.get(name, name)


def short(value: Scalar) -> str:
    """A value of a field as a label."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def better(higher_is_better: bool) -> str:
    """Which end of the metric is the good one."""
    return "higher is better" if higher_is_better else "lower is better"


def method_look(name: str) -> tuple[str, str, str]:
    """Label, colour and dash of a method."""
    spec = METHODS.get(name)
    return (spec.label, spec.colour, spec.dash) if spec else (name, GREY, "solid")


def metric_colours(values: Sequence[float], metric: str, higher_is_better: bool) -> dict[str, Any]:
    """A colour axis on which better is brighter, over all of the values."""
    return {
        "colorscale": "Viridis", "reversescale": not higher_is_better,
        "cmin": min(values, default=0.0), "cmax": max(values, default=1.0),
        "colorbar": {"title": {"text": f"{metric}<br>({better(higher_is_better)})", "font": {"size": 11}},
                     "thickness": 12, "outlinewidth": 0, "tickformat": ".3~g"},
    }  # fmt: skip


def point_words(point: Point) -> str:
    """A point in the words of the page: `TriAdaptLoRA, warm-up 20, interval 5`."""
    return ", ".join(
        method_look(str(value))[0] if name == "method" else f"{word(name)} {short(value)}"
        for name, value in point.items()
    )


def said(trial: TrialRecord) -> str:
    """A trial when it is pointed at."""
    value = f"<b>{trial.value:.4g}</b>" if trial.value is not None else trial.state
    return f"{value}<br>{point_words(trial.point)}<br>seed {trial.seed}"


def quiet_layout(figure: go.Figure, height: int, **layout: Any) -> go.Figure:
    """Sizes and margins; colours and fonts are those of the page (`ui/board/figure.js`)."""
    figure.update_layout(
        **{"template": "none", "height": height, "margin": {"l": 62, "r": 16, "t": 30, "b": 46}, "hovermode": "closest",
           "legend": {"orientation": "h", "y": -0.22, "yanchor": "top", "x": 0}} | layout,
    )  # fmt: skip
    return figure
