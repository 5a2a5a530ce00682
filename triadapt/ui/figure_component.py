"""A Plotly figure redrawn in place, whose points can be clicked. `st.plotly_chart` is torn down at every change."""

from __future__ import annotations

import plotly.graph_objects as go

from triadapt.ui.board_component import component, static_url


def figure(drawn: go.Figure, *, name: str, label: str) -> int | None:
    """Draw a figure under a name that is unique on the page. label: what it shows, for those who do not see it. Returns
    the `customdata` of a point that was just clicked."""
    data = {"name": name, "label": label, "height": drawn.layout.height, "figure": drawn.to_json()}
    drawer = component("triadapt_figure", "figure.js", *static_url())
    result = drawer(data=data, key=f"figure-{name}", on_clicked_change=lambda: None)
    clicked = getattr(result, "clicked", None)
    return None if clicked is None else int(clicked)
