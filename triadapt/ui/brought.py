"""Settings that a visitor brought along in the address, from another page or by a link."""

from __future__ import annotations

import streamlit as st

from triadapt.ui.control_fields import FIELDS

BROUGHT = "settings_brought"


def note_settings() -> None:
    """The visitor came to the page: remember whether the address sets any control."""
    st.session_state[BROUGHT] = any(name in FIELDS or name in ("task", "method") for name in st.query_params)


def settings_brought() -> bool:
    """Whether the visitor came with settings."""
    return bool(st.session_state.get(BROUGHT, False))
