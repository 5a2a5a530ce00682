"""The front door: page setup and navigation, nothing else."""

import streamlit as st

from triadapt.ui.front_door import on_to_the_page
from triadapt.ui.page_style import begin_page

# An emoji as icon: a Material icon would be fetched from another host.
st.set_page_config(page_title="triadapt", page_icon="🔺", layout="wide")
begin_page()

page = st.navigation(
    [
        st.Page("pages/play.py", title="Play", icon=":material/play_circle:", default=True),
        st.Page("pages/runs.py", title="Runs", icon=":material/list:", url_path="runs"),
    ],
    position="top",
)
on_to_the_page()
page.run()
