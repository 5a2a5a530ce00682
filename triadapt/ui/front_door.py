"""Visitors who come by the address of a page to a server that was just started."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from triadapt.ui.classroom.rules import shows_page

WANTED, ENTERED = "wanted_page", "entered"


def through_front_door(page: str) -> None:
    """Go by way of `app.py` if it never ran on this server; go no further where the page is not for this visitor.

    Until it has, Streamlit takes every file in `pages/` for a page of its own, without our navigation and page setup.
    """
    if getattr(PagesManager, "uses_pages_directory", False) and ENTERED not in st.session_state:
        st.session_state[WANTED] = (page, _address())
        st.switch_page("app.py")
    if not shows_page(Path(page).stem):
        st.error("This page is not part of the class.", icon=":material/lock:")
        st.stop()


def on_to_the_page() -> None:
    """In `app.py`, once the navigation is known: send the visitor on to where they wanted to go."""
    st.session_state[ENTERED] = True
    wanted = st.session_state.pop(WANTED, None)
    if wanted is not None and shows_page(Path(wanted[0]).stem):
        page, address = wanted
        st.switch_page(page, query_params=address)


def to_play() -> None:
    """The page at `/play`, which is the first page under its own name."""
    st.switch_page("pages/play.py", query_params=_address())


def _address() -> dict[str, list[str]]:
    """Every name in the address with all of its values: `to_dict` keeps one."""
    return {name: st.query_params.get_all(name) for name in st.query_params}
