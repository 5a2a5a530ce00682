"""The lessons as a Streamlit component."""

from __future__ import annotations

from typing import Any

import streamlit as st

from triadapt.ui.board_component import component, static_url

KEY = "lessons"


def said(name: str) -> dict[str, Any]:
    """The browser's last word of that name (`lesson`, `run` or `stop`); empty before it said anything."""
    found = (st.session_state.get(KEY) or {}).get(name)
    return dict(found) if isinstance(found, dict) else {}


def learn(message: bytes) -> None:
    """Show what `views.lessons.message.learn_message` made."""
    draw = component("triadapt_learn", "learn/learn.js", *static_url("learn"))
    draw(
        data=message, key=KEY, on_lesson_change=lambda: None, on_run_change=lambda: None, on_stop_change=lambda: None
    )  # fmt: skip
