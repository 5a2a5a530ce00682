"""The learn page: the method, taught by doing."""

import streamlit as st

from triadapt.ui.classroom.panel import classroom_panel
from triadapt.ui.front_door import through_front_door
from triadapt.ui.lessons import enter_lessons, lessons, refresh_every, visit
from triadapt.ui.manager import manager
from triadapt.ui.markdown import plain
from triadapt.ui.visits import on_entering

through_front_door("pages/learn.py")
runs = manager()
on_entering("learn", enter_lessons)

errors = st.container()  # always there: what comes and goes above the lessons would mount them anew
for line in visit().errors:
    errors.error(plain(line), icon=":material/error:")
base = "/" + str(st.get_option("server.baseUrlPath") or "").strip("/")
st.fragment(lessons, run_every=refresh_every(runs))(runs, base=base)
classroom_panel()
