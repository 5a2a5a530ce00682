"""The tune page."""

import streamlit as st

from triadapt.ui.front_door import through_front_door
from triadapt.ui.manager import manager
from triadapt.ui.sweep_section import sweep_section

through_front_door("pages/tune.py")
st.subheader("Studies")
sweep_section(manager().runs)
