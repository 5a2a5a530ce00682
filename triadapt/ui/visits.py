"""Which page a session is on, and what is to be done when a visitor comes to one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st


@dataclass
class Visit:
    """The page a session is on; None before the first is settled."""

    page: str | None = None


def on_entering(name: str, *steps: Callable[[], object]) -> None:
    """Take `steps` when the visitor comes to page `name`. Call it once at the page's top.

    Streamlit may end a script at any access to the session and run it anew, for another request came in. The visitor
    counts as arrived only when every step was taken; until then each may be taken again, and must come out the same.
    """
    visit: Visit = st.session_state.setdefault("visit", Visit())
    if visit.page != name:
        for step in steps:
            step()
        visit.page = name
