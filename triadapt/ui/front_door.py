"""Visitors who come by the address of a page to a server that was just started."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

WANTED, ENTERED = "wanted_page", "entered"


def through_front_door(page: str) -> None:
    """Go by way of `app.py` if it never ran on this server.

    Until it has, Streamlit takes every file in `pages/` for a page of its own, without our navigation and page setup.
    """
    if getattr(PagesManager, "uses_pages_directory", False) and ENTERED not in st.session_state:
        st.session_state[WANTED] = (page, _address())
        st.switch_page("app.py")


def on_to_the_page() -> None:
    """In `app.py`, once the navigation is known: send the visitor on to where they wanted to go."""
    st.session_state[ENTERED] = True
    wanted = st.session_state.pop(WANTED, None)
    if wanted is not None:
        page, address = wanted
        st.switch_page(page, query_params=address)


def to_play() -> None:
    """The page at `/play`, which is the first page under its own name."""
    st.switch_page("pages/play.py", query_params=_address())


def _address() -> dict[str, list[str]]:
    """Every name in the address with all of its values: `to_dict` keeps one."""
    return {name: st.query_params.get_all(name) for name in st.query_params}
