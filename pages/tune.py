"""The tune page: what another schedule would have done, and what many schedules do."""

import streamlit as st

from triadapt.ui.front_door import through_front_door
from triadapt.ui.manager import manager
from triadapt.ui.sweep_section import sweep_section
from triadapt.ui.visits import page_entered
from triadapt.ui.what_if import what_if_section

through_front_door("pages/tune.py")
page_entered("tune")
st.subheader("What if")
what_if_section()
st.subheader("Studies")
sweep_section(manager().runs)
