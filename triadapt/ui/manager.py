"""The one RunManager of a server, shared by all its visitors."""

from __future__ import annotations

import streamlit as st

from triadapt.runs.library import runs_folder
from triadapt.workers.manager import RunManager


@st.cache_resource(show_spinner=False)
def manager() -> RunManager:
    """The manager over the configured folder of runs; its worker begins to warm up at the first call."""
    return RunManager(runs_folder(None))
