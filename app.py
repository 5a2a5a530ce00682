"""The front door: page setup and navigation, nothing else."""

import streamlit as st

st.set_page_config(page_title="triadapt", page_icon=":material/grid_on:", layout="wide")

page = st.navigation(
    [
        st.Page("pages/play.py", title="Play", icon=":material/play_circle:", default=True),
        st.Page("pages/runs.py", title="Runs", icon=":material/list:", url_path="runs"),
    ],
    position="top",
)
page.run()
