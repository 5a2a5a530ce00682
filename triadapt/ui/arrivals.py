"""What comes into sight on a page that is open already: a training that another program has begun."""

from __future__ import annotations

import streamlit as st

from triadapt.ui.address import on_view
from triadapt.ui.classroom.desk import Desk
from triadapt.ui.showing import first_view

LOOK_SECONDS = 3.0


def look_for_training(manager: Desk, view: str) -> None:
    """Draw the page anew if a visitor without a wish would see something else than `view` by now. Meant to run in a
    timed fragment, which draws nothing."""
    if on_view().race is None and first_view(manager) != view:
        st.rerun()
