"""The runs page: list, open, rename, note, export, import, delete."""

import streamlit as st

from triadapt.ui.classroom.room import student
from triadapt.ui.front_door import through_front_door
from triadapt.ui.importing import import_panel
from triadapt.ui.manager import manager
from triadapt.ui.run_list import choose_runs, race_panel, run_table, study_panel
from triadapt.ui.visits import on_entering

through_front_door("pages/runs.py")
runs = manager()
on_entering("runs")

st.subheader("Runs")
chosen = run_table(runs)
if chosen and chosen.run:
    race_panel(runs, chosen.run)
elif chosen:
    study_panel(chosen)
if student() is None:
    import_panel(runs, choose_runs)
