"""The learn page: the method, taught by doing."""

import streamlit as st

from triadapt.ui.classroom import classroom_panel
from triadapt.ui.front_door import through_front_door

through_front_door("pages/learn.py")

st.subheader("Learn")
classroom_panel()
