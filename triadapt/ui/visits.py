"""Which page a session is on."""

from __future__ import annotations

import streamlit as st


def page_entered(name: str) -> bool:
    """Whether this is the first script run since the visitor came to page `name`. Call it once at the page's top."""
    before = st.session_state.get("page_on_view")
    st.session_state["page_on_view"] = name
    return before != name
