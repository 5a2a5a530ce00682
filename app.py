"""The front door: page setup and navigation, nothing else."""

import streamlit as st

from triadapt.ui.front_door import on_to_the_page, to_play
from triadapt.ui.page_style import begin_page

# An emoji as icon: a Material icon would be fetched from another host.
st.set_page_config(page_title="triadapt", page_icon="🔺", layout="wide")
begin_page()

page = st.navigation(
    [
        st.Page("pages/play.py", title="Play", icon=":material/play_circle:", url_path="home", default=True),
        st.Page("pages/learn.py", title="Learn", icon=":material/school:", url_path="learn"),
        st.Page("pages/runs.py", title="Runs", icon=":material/list:", url_path="runs"),
        st.Page("pages/compare.py", title="Compare", icon=":material/compare:", url_path="compare"),
        st.Page("pages/tune.py", title="Tune", icon=":material/tune:", url_path="tune"),
        st.Page("pages/own.py", title="Your work", icon=":material/upload_file:", url_path="own"),
        # Play is the default page, which Streamlit serves at / and nowhere else; who types /play gets there too.
        st.Page(to_play, title="Play", url_path="play", visibility="hidden"),
    ],
    position="top",
)
on_to_the_page()
page.run()
