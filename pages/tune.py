"""The tune page: a schedule before it costs anything, what another would have done, and what many do."""

from collections.abc import Callable

import streamlit as st

from triadapt.ui.classroom.room import student
from triadapt.ui.front_door import through_front_door
from triadapt.ui.schedule_lab import forget_visit, schedule_lab
from triadapt.ui.sweep_section import sweep_section
from triadapt.ui.visits import on_entering
from triadapt.ui.what_if import what_if_section

TABS: dict[str, Callable[[], None]] = {
    "Schedule lab": schedule_lab,
    "What if": what_if_section,
    "Studies": sweep_section,
}

through_front_door("pages/tune.py")
on_entering("tune", forget_visit)

st.subheader("Tune")
# A study takes the machine for hours.
names = list(TABS) if student() is None else [name for name in TABS if TABS[name] is not sweep_section]
wanted = st.query_params.get("tab")
# Only the tab on view runs.
for tab, name in zip(
    st.tabs(names, default=wanted if wanted in names else None, key="tune_tab", on_change="rerun"),
    names,
    strict=True,
):
    if tab.open:
        if name != names[0]:
            st.query_params["tab"] = name
        else:
            st.query_params.pop("tab", None)
        with tab:
            TABS[name]()
