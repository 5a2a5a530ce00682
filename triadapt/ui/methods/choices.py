"""What a visitor chose on the Methods page, and its names in the address.

As on the other pages, the session's own word counts; the address is a wish only when a visitor comes to the page, or
goes back or forward.
"""

from __future__ import annotations

from collections.abc import Collection

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from triadapt.ui.markdown import plain

SAID = "methods_said"
_WISH = "methods_wish"
NAMES = ("kind", "against", "rates", "card")
MOST_NAMED = 12


def enter_methods() -> None:
    """The visitor came to the page: what the address names is to be chosen; what it does not name stays as it was."""
    st.session_state[SAID] = {}
    st.session_state[_WISH] = dict(st.query_params)


def went_back_or_forward() -> bool:
    """Whether the visitor went to an address of before; then all of it is a wish, and what it does not name is as it
    was at first."""
    if not getattr(get_script_run_ctx(), "is_history_navigation", False):
        return False
    st.session_state[SAID] = {}
    st.session_state[_WISH] = dict.fromkeys(NAMES) | dict(st.query_params)
    return True


def take_wish(name: str, key: str, known: Collection[str], first: str | None) -> None:
    """Before a widget of `key` is drawn: choose what the address names, if it is `known`, or note a line that it is
    not; else what was chosen last, else `first`."""
    wishes: dict[str, str | None] = st.session_state[_WISH]
    again = name in wishes
    wish = wishes.pop(name, None)
    if wish in known or (again and wish is None):
        st.session_state[key] = wish if wish in known else first
    elif wish is not None:
        names = ", ".join(list(known)[:MOST_NAMED]) + (", ..." if len(known) > MOST_NAMED else "")
        st.session_state[SAID][name] = f"{name} in the address: there is no {wish[:60]!r}; there are {names}"
    if st.session_state.get(key) not in known and (first is not None or key in st.session_state):
        st.session_state[key] = first


def say_problem(name: str) -> None:
    """The line on what the address says wrongly under this name."""
    if line := st.session_state[SAID].get(name):
        st.error(plain(line), icon=":material/error:")


def forget_problem(name: str) -> None:
    """The visitor has chosen since."""
    st.session_state[SAID].pop(name, None)


def write_choice(name: str, chosen: str | None, usual: str | None) -> None:
    """Bring the address to a choice; the usual one is not named."""
    if chosen is None or chosen == usual:
        st.query_params.pop(name, None)
    elif st.query_params.get(name) != chosen:
        st.query_params[name] = chosen
