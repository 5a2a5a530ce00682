"""The compare page: any runs side by side."""

import streamlit as st

from triadapt.ui.compare_component import preload_comparison
from triadapt.ui.compare_runs import compare_runs, refresh_every
from triadapt.ui.compare_selection import SAID, Choosable, choose_runs, enter_comparison
from triadapt.ui.front_door import through_front_door
from triadapt.ui.manager import manager
from triadapt.ui.markdown import plain
from triadapt.ui.visits import on_entering

through_front_door("pages/compare.py")
preload_comparison()
runs = manager().runs
choosable = Choosable(runs)
on_entering("compare", lambda: enter_comparison(choosable))

tokens = choose_runs(choosable)
for line in st.session_state[SAID]:
    st.error(plain(line), icon=":material/error:")
st.fragment(compare_runs, run_every=refresh_every(choosable, tokens))(runs, tokens)
