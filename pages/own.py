"""Your work: a model and data of one's own to a race, a training of one's own onto the board, old logs into runs."""

import streamlit as st

from triadapt.ui.front_door import through_front_door
from triadapt.ui.manager import manager
from triadapt.ui.own.data import choose_files, choose_glue, choose_hub
from triadapt.ui.own.model import choose_model
from triadapt.ui.own.ready import ready
from triadapt.ui.own.script import script_help
from triadapt.ui.own.texts import choose_questions, choose_text
from triadapt.ui.visits import on_entering

through_front_door("pages/own.py")
runs = manager()
on_entering("own")

FILES, HUB, GLUE, QUESTIONS, TEXT = "A table", "Hub dataset", "GLUE", "Questions", "Plain text"
st.subheader("Your work")
train, watch = st.tabs(["Train on your data", "Watch your own training"])
with train:
    with st.container(key="own_sides"):
        left, right = st.columns([3, 2], gap="large")
    with left:
        st.markdown("**Data**")
        where = st.segmented_control(
            "Where from", [FILES, HUB, GLUE, QUESTIONS, TEXT], default=FILES, required=True, key="own_where",
            persist_state="session", label_visibility="collapsed",
            help="Where the rows to train on come from.",
        )  # fmt: skip
        match where:
            case "Hub dataset":
                data = choose_hub(None)
            case "GLUE":
                data = choose_glue()
            case "Questions":
                data = choose_questions(runs.runs)
            case "Plain text":
                data = choose_text(runs.runs)
            case _:
                data = choose_files(runs.runs)
    with right:
        st.markdown("**Model**")
        model = choose_model(data.task)
        st.markdown("**Race**")
        ready(model, data)
with watch:
    script_help(runs.runs)
