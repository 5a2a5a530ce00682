"""What Run and Branch have in common: something is queued and looked at from then on."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import streamlit as st

from triadapt.runs.info import RunError
from triadapt.ui.address import on_view, write_address
from triadapt.ui.messages import keep_message


def start(what: str, queue: Callable[[], str]) -> None:
    """Call `queue`, which returns the id of a race, and show that race; or say why `what` could not be started."""
    view = on_view()
    try:
        race = queue()
    except (RunError, OSError, sqlite3.Error) as error:
        keep_message(f"{what} could not be started: {error}")
    else:
        view.turn_to(race)  # first of all: whatever may end this script, the race that was started is on view
        write_address()
    st.rerun()
