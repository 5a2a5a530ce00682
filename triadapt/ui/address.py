"""Which race the address names.

The browser sends its address along with every request, also with those it made before it heard of a change made here: a
refresh under way while Run is pressed brings the old address back. What this session wrote last therefore holds until
the browser has sent it once; only then is another name in the address a wish of the visitor (the back button).
"""

from __future__ import annotations

import streamlit as st


def name_view(view: str | None) -> None:
    """Put a race in the address, or take it out."""
    st.session_state["view_named"], st.session_state["view_confirmed"] = view, False
    st.session_state["view_turn"] = view_turn() + 1
    if view is not None:
        st.query_params["run"] = view
    elif "run" in st.query_params:
        del st.query_params["run"]


def view_turn() -> int:
    """How often this session has changed the race on view."""
    turn: int = st.session_state.get("view_turn", 0)
    return turn


def named_view() -> str | None:
    """The race that the visitor asks for, or None. Called in every refresh, for it also takes note of what the browser
    knows by now."""
    sent = st.query_params.get("run")
    if "view_named" not in st.session_state:
        st.session_state["view_named"], st.session_state["view_confirmed"] = sent, True
    named: str | None = st.session_state["view_named"]
    if sent == named:
        st.session_state["view_confirmed"] = True
    elif st.session_state["view_confirmed"]:
        st.session_state["view_named"] = named = sent
        st.session_state["view_turn"] = view_turn() + 1
    elif named is not None:
        st.query_params["run"] = named
    else:
        del st.query_params["run"]
    return named


def enter_view() -> None:
    """The visitor came to the page: an address without a race means the one last on view."""
    if "run" in st.query_params:
        st.session_state["view_named"], st.session_state["view_confirmed"] = st.query_params["run"], True
    elif "view_named" in st.session_state:
        name_view(st.session_state["view_named"])
