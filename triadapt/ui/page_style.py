"""Spacing of the pages: a dashboard wants its first chart higher than a text page does."""

from __future__ import annotations

import streamlit as st

_STYLE = """<style>
[data-testid="stMainBlockContainer"] { padding: 4.3rem 2.2rem 1rem; max-width: 1700px; }
[data-testid="stSidebarUserContent"] { padding-bottom: 1.5rem; }
[data-testid="stSidebarHeader"] { height: 2.2rem; padding-block: 0.3rem; margin-bottom: 0; }
@media (max-width: 640px) { [data-testid="stMainBlockContainer"] { padding: 4.3rem 0.8rem 1rem; } }
</style>"""


def tighten() -> None:
    """Reduce the empty space around the page. Call once a script run."""
    st.html(_STYLE)
