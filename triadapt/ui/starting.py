"""What Run and Branch have in common: something is queued and looked at from then on.

A press is only noted in the button's callback, for what is to be started is known when the controls are drawn.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import streamlit as st

from triadapt.runs.info import RunError
from triadapt.ui.address import on_view, write_address
from triadapt.ui.messages import keep_message


def want(what: str) -> None:
    """The visitor pressed the button that starts `what`."""
    on_view().wanted = what


def start_if_wanted(what: str, queue: Callable[[], str] | None) -> None:
    """If `what` was pressed, call `queue`, which returns the id of a race, and show that race; or say why `what` could
    not be started. queue: None where nothing can be started as things stand."""
    view = on_view()
    if view.wanted != what:
        return
    # No access to the session from here to the end of the turn, where a script that is no longer wanted would end: the
    # press would be lost, or obeyed twice.
    view.wanted = None
    if queue is None:
        return
    try:
        view.turn_to(queue())
    except (RunError, OSError, sqlite3.Error) as error:
        keep_message(f"The {what} could not be started: {error}")
    else:
        write_address()
    st.rerun()
