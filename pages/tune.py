"""The tune page: what a schedule will do, and what another would have done."""

import streamlit as st

from triadapt.ui.front_door import through_front_door
from triadapt.ui.visits import page_entered
from triadapt.ui.what_if import what_if_section

through_front_door("pages/tune.py")
page_entered("tune")

st.subheader("What if")
what_if_section()
