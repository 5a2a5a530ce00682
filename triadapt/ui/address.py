"""Which race is on view, and its name in the address.

The session's own word counts. The browser sends its address along with every request, also with those it made before it
heard of a change made here: a refresh under way while Run is pressed brings the old address back. Only when a visitor
comes to the page, or goes back or forward, is the address a wish.
"""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx


@dataclass
class OnView:
    """The race a session looks at (None: it has not said), how often that has changed, and what the visitor has pressed
    that is to be started (`ui/starting.py`)."""

    race: str | None = None
    turn: int = 0
    wanted: str | None = None

    def turn_to(self, race: str | None) -> None:
        """Look at another race. No access to the session, where a script that is no longer wanted would end."""
        if race != self.race:
            self.race, self.turn = race, self.turn + 1


def on_view() -> OnView:
    """What this session looks at."""
    found: OnView = st.session_state.setdefault("on_view", OnView())
    return found


def enter_view() -> None:
    """The visitor came to the page: what the address names, or without a name what was on view last."""
    if asked := st.query_params.get("run"):
        on_view().turn_to(asked)


def named_view() -> str | None:
    """The race to look at, or None when neither the visitor nor the session has named one."""
    view, asked = on_view(), st.query_params.get("run") or None
    if asked != view.race and getattr(get_script_run_ctx(), "is_history_navigation", False):
        view.turn_to(asked)
    write_address()
    return view.race


def stay_with(race: str) -> None:
    """The visitor found this race under way without having asked for it: it stays on view when it ends. Not when the
    visitor went back to an address without one, from where it would lead forward again."""
    if not getattr(get_script_run_ctx(), "is_history_navigation", False):
        on_view().turn_to(race)
        write_address()


def write_address() -> None:
    """Bring the address to what is on view."""
    race = on_view().race
    if race is None:
        st.query_params.pop("run", None)
    elif st.query_params.get("run") != race:
        st.query_params["run"] = race
