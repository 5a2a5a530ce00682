"""The compare page: any runs side by side."""

import streamlit as st

from triadapt.runs.info import RunError
from triadapt.ui.compare_sections import (
    agreement_section,
    configuration_section,
    curves_section,
    maps_section,
    pareto_section,
    summary_section,
)
from triadapt.ui.compare_selection import SAID, Choosable, choose_runs, enter_comparison
from triadapt.ui.front_door import through_front_door
from triadapt.ui.manager import manager
from triadapt.ui.visits import page_entered
from triadapt.views.compare.table import cautions, side_by_side

through_front_door("pages/compare.py")
choosable = Choosable(manager().runs)
if page_entered("compare"):
    enter_comparison(choosable)

st.subheader("Compare")
tokens = choose_runs(choosable)
for line in st.session_state[SAID]:
    st.error(line, icon=":material/error:")

read = []
for token in tokens:
    try:
        info, record = choosable.read(token)
    except RunError as error:
        st.error(f"{error}; it is left out", icon=":material/error:")
        continue
    if record is None:
        st.info(f"{info.id} is {info.state} and has recorded nothing yet; it is left out.")
    else:
        read.append((info, record))

if any(info.live for info, _ in read):
    st.button("Refresh", icon=":material/refresh:", key="compare_refresh", help="Read again what the runs recorded.")
if not read:
    st.info("Choose runs above, or select rows on the Runs page and press Compare there.")
    st.stop()

compared = side_by_side(read)
for line in cautions(compared) if len(compared) > 1 else []:
    st.caption(f":material/info: {line}")
maps_section(compared)
curves_section(compared)
summary_section(compared)
agreement_section(compared)
pareto_section(compared)
configuration_section(compared)
