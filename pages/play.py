"""The play page: choose a race, press Run, watch ranks move."""

import streamlit as st

from triadapt.runs.info import RunError
from triadapt.runs.library import list_runs
from triadapt.ui.actions import forget_actions, race_buttons
from triadapt.ui.address import enter_view, named_view, on_view, stay_with
from triadapt.ui.arrivals import LOOK_SECONDS, look_for_training
from triadapt.ui.brought import note_settings
from triadapt.ui.chooser import choices, race_chooser
from triadapt.ui.classroom.desk import NO_TRAINING
from triadapt.ui.classroom.rules import in_sight, may_train
from triadapt.ui.control_memory import keep_controls, note_address_problems, open_controls
from triadapt.ui.controls import race_controls
from triadapt.ui.feed import feed, refresh_every, reset_board
from triadapt.ui.fields import in_page_words
from triadapt.ui.front_door import through_front_door
from triadapt.ui.lineage import lineage
from triadapt.ui.manager import manager
from triadapt.ui.markdown import plain
from triadapt.ui.messages import keep_message
from triadapt.ui.notes import state_notes
from triadapt.ui.showing import beside_its_parent, first_view, shown
from triadapt.ui.visits import on_entering

through_front_door("pages/play.py")
runs = manager()
on_entering("play", reset_board, note_address_problems, open_controls, note_settings, enter_view, forget_actions)

with st.sidebar:
    configs, problems, missing = race_controls(in_page_words)
if keep_controls():
    # The visitor has moved a control since: what the address said wrongly is history.
    st.session_state["address_problems"] = []

# Places that are always there: a message that comes and goes must not move the board, which would mount it anew.
errors, bar, notes = st.container(), st.container(), st.container(gap="xsmall")
for line in (*st.session_state["address_problems"], *problems):
    errors.error(plain(line), icon=":material/error:")
for line in missing:
    errors.info(plain(line), icon=":material/edit:")

if not may_train():
    errors.info(plain(NO_TRAINING), icon=":material/pause_circle:")

named = named_view()
view = named or first_view(runs)
try:
    race = shown(runs, view) if view else None
    if race is not None and not named and not race.recorded:
        stay_with(view)
except RunError as error:
    if named:
        on_view().turn_to(None)
        keep_message(f"run in the address: {error}")
        st.rerun()
    errors.error(plain(str(error)), icon=":material/error:")
    race = None

infos = list_runs(runs.runs)
with bar:
    race_buttons(runs, race, configs, blocked=bool(problems or missing))
with notes:
    race_chooser(race, choices(in_sight(runs, infos)))
    if race is None:
        st.info("Nothing to show yet. Press Run, and the ranks of each method move here.")
    else:
        state_notes(runs, race)
        parent = lineage(runs, race, infos)
if race is not None:
    race = beside_its_parent(runs, race) if parent else race
    st.session_state["drawn_states"] = [info.state for info, _ in race.on_board]
    st.fragment(feed, run_every=refresh_every(race))(runs, view, parent)
if not named and (race is None or not race.live):
    st.fragment(look_for_training, run_every=LOOK_SECONDS)(runs, view)
