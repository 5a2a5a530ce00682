"""The front door: page setup and navigation, nothing else."""

import streamlit as st

from triadapt.ui.classroom.follow import class_bar, tell_class
from triadapt.ui.classroom.seat import cookies_script, keep_address
from triadapt.ui.front_door import front_pages, on_to_the_page
from triadapt.ui.page_style import begin_page

# An emoji as icon: a Material icon would be fetched from another host.
st.set_page_config(page_title="triadapt", page_icon="🔺", layout="wide")
begin_page(cookies_script())
keep_address()

page = st.navigation(front_pages(), position="top")
on_to_the_page(page)
class_bar()
page.run()
tell_class(page)
