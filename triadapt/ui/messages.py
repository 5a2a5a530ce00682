"""What is said above the board about the race on view."""

from __future__ import annotations

import streamlit as st

from triadapt.ui.address import on_view


def keep_message(text: str) -> None:
    """Say `text` above the board as long as the race now on view stays there."""
    st.session_state["message"] = (on_view().turn, text)
