"""A Plotly figure redrawn in place, whose points can be clicked. `st.plotly_chart` is torn down at every change."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from triadapt.ui.board_component import LOADER, static_url


@functools.cache
def _component(static: str, folder: str) -> Callable[..., Any]:
    path = f"{static}/{folder}/figure.js"
    return st.components.v2.component("triadapt_figure", js=LOADER % json.dumps(path), isolate_styles=False)


def figure(drawn: go.Figure, *, name: str, label: str) -> int | None:
    """Draw a figure under a name that is unique on the page. label: what it shows, for those who do not see it. Returns
    the `customdata` of a point that was just clicked."""
    component = _component(*static_url())
    data = {"name": name, "label": label, "height": drawn.layout.height, "figure": drawn.to_json()}
    result = component(data=data, key=f"figure-{name}", on_clicked_change=lambda: None)
    clicked = getattr(result, "clicked", None)
    return None if clicked is None else int(clicked)
