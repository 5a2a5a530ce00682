"""The list of runs and what can be done with one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import pandas as pd
import streamlit as st

from triadapt.methods.registry import METHODS
from triadapt.runs.info import RunError, RunInfo
from triadapt.runs.library import delete, list_runs, rename, set_note
from triadapt.runs.lineage import parent_of
from triadapt.sweeps.library import list_studies
from triadapt.ui.classroom.desk import Desk
from triadapt.ui.classroom.room import student
from triadapt.ui.classroom.rules import check_own, may_train, owns, shows_page
from triadapt.ui.compare_selection import MOST, PARAMETER
from triadapt.ui.downloads import export_panel
from triadapt.ui.markdown import plain
from triadapt.ui.notes import told_error
from triadapt.ui.run_rows import COLUMNS, OFTEN_EMPTY, TITLES, Row, cells, rows_of
from triadapt.ui.titles import branch_line, method_label
from triadapt.ui.what_if_choice import what_if_address

WHAT_IF = "Take its decisions again under another schedule, without training."
BESIDE = "Puts their ranks, curves and numbers side by side on the Compare page."
DELETIONS, OPENED, CAME_IN = "run_deletions", "opened_study", "came_in"


def run_table(manager: Desk) -> Row | None:
    """Draw the list. Returns the row that is chosen alone; for several runs there is a button to compare them."""
    infos = list_runs(manager.runs)
    if not infos:
        st.info("No runs yet. Press Run on the Play page, or use `triadapt train` on the command line.")
        return None
    names = {study.id: study.name for study in list_studies(manager.runs)}
    rows = rows_of(infos, names, st.session_state.get(OPENED, ""))
    drawn = [row.id for row in rows]

    # Another key after a deletion: the browser would keep the tick at its row, where another run stands then.
    key = f"run_table-{st.session_state.get(DELETIONS, 0)}"

    def choose() -> None:
        # A selection is a row number; by the next script run other runs may stand in these rows.
        chosen = st.session_state[key].selection.rows
        st.session_state.pop(CAME_IN, None)
        st.session_state["chosen_runs"] = [drawn[row] for row in chosen]
        st.session_state["chosen_run"] = drawn[chosen[0]] if len(chosen) == 1 else None

    # Those that came in a moment ago are ticked; once somebody has ticked others, these count.
    ticked = [at for at, name in enumerate(drawn) if name in st.session_state.get(CAME_IN, [])]
    known = {info.id: info for info in infos}
    table = pd.DataFrame([cells(row, known) for row in rows], columns=TITLES).fillna("")
    st.dataframe(
        table, hide_index=True, width="stretch", key=key, on_select=choose, selection_mode="multi-row",
        selection_default={"selection": {"rows": ticked, "columns": [], "cells": []}} if ticked else None,
        column_config=COLUMNS,
        column_order=[name for name in TITLES if name not in OFTEN_EMPTY or (table[name] != "").any()],
    )  # fmt: skip
    chosen = next((row for row in rows if row.id == st.session_state.get("chosen_run")), None)
    several = [name for name in st.session_state.get("chosen_runs", []) if name in drawn and name in known]
    if len(several) > 1 and shows_page("compare"):
        _compare_button(several)
    elif chosen is None:
        st.caption("Choose a run in the first column to open, rename, export or delete it; choose several to compare.")
    return chosen


def study_panel(row: Row) -> None:
    """What can be done with the chosen study."""
    st.text(f"{row.study} · {row.id}")
    opened = st.session_state.get(OPENED) == row.id
    with st.container(horizontal=True):
        if student() is None:
            if st.button("Open the study", type="primary", icon=":material/open_in_new:", key="open_study",
                         help="Shows its charts and its recommendation on the Tune page."):  # fmt: skip
                st.switch_page("pages/tune.py", query_params={"tab": "Studies", "study": row.id})
        st.button(
            "Hide its runs" if opened else f"List its {len(row.infos)} runs", key="list_study",
            icon=":material/unfold_less:" if opened else ":material/unfold_more:",
            on_click=_open_rows, args=("" if opened else row.id,),
            help="The runs of a study stand in the list below its row, or stay folded into it.",
        )  # fmt: skip


def _open_rows(study: str) -> None:
    st.session_state[OPENED] = study
    _forget_choice()


def _forget_choice() -> None:
    """Other rows are drawn from now on, and a tick is at a row's number."""
    for name in ("chosen_run", "chosen_runs", CAME_IN):
        st.session_state.pop(name, None)
    st.session_state[DELETIONS] = st.session_state.get(DELETIONS, 0) + 1


def choose_runs(run_ids: list[str]) -> None:
    """Choose runs that have just come in."""
    _forget_choice()
    st.session_state["chosen_runs"] = st.session_state[CAME_IN] = run_ids
    st.session_state["chosen_run"] = run_ids[0] if len(run_ids) == 1 else None


def _compare_button(run_ids: list[str]) -> None:
    more = len(run_ids) > MOST
    if st.button(f"Compare {len(run_ids)} runs", type="primary", icon=":material/compare:", key="compare_runs",
                 disabled=more, help=f"At most {MOST} can be compared." if more else BESIDE):  # fmt: skip
        st.switch_page("pages/compare.py", query_params={PARAMETER: ",".join(run_ids)})


def race_panel(manager: Desk, info: RunInfo) -> None:
    """What can be done with the chosen run."""
    st.text(f"{info.name or info.id} · {info.id}")
    if info.error:
        st.error(plain(f"{method_label(info)} {info.state}: {told_error(info)}"), icon=":material/error:")
    parent, mine = parent_of(manager.runs, info), owns(manager, info.race)
    if info.branched_from is not None:
        st.caption(f":material/call_split: Branched from {branch_line(info.branched_from, parent)}")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if shows_page("play"):
            _open_buttons(info)
        if parent is not None and shows_page("compare"):
            if st.button("Compare with its parent", icon=":material/compare:", key="compare_parent",
                         help="Puts it beside the run that it was branched from, on the Compare page."):  # fmt: skip
                st.switch_page("pages/compare.py", query_params={PARAMETER: f"{parent.id},{info.id}"})
        decides = info.method in METHODS and METHODS[info.method].replayed and "warmup" in info.config
        if decides and shows_page("tune"):
            if st.button("What if", icon=":material/alt_route:", key="what_if_run", help=WHAT_IF):
                st.switch_page("pages/tune.py", query_params=what_if_address(info.id))
        resumable = info.resumable and mine and may_train()
        if resumable and st.button("Resume", icon=":material/restart_alt:", key="resume_run",
                                   help="Trains on from its newest checkpoint and shows it on Play."):  # fmt: skip
            _do(lambda: manager.resume(info.id))
        why = "Stop it first." if info.live else "Asks once more before anything is removed."
        if mine and st.button("Delete", icon=":material/delete:", disabled=info.live, key="delete_run", help=why):
            _confirm_delete(manager, info)
    if info.state == "damaged":
        return
    if mine:
        _describe_form(manager, info)
    export_panel(manager, info, weights=student() is None)


def _open_buttons(info: RunInfo) -> None:
    if st.button("Open", type="primary", icon=":material/open_in_new:", key="open_run",
                 help="Shows this run alone on Play."):  # fmt: skip
        st.switch_page("pages/play.py", query_params={"run": info.id})
    if info.race and st.button("Open the whole race", icon=":material/grid_view:", key="open_race",
                               help="Shows it on Play with the other methods that raced it."):  # fmt: skip
        st.switch_page("pages/play.py", query_params={"run": info.race})


def _describe_form(manager: Desk, info: RunInfo) -> None:
    with st.form("describe", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Name of the race", info.name, key=f"name-{info.id}", help="All its runs are called so.")
        note = st.text_input(
            "Note on this run",
            info.note,
            key=f"note-{info.id}",
            help="A line of yours that stands in the list beside the run.",
        )
        if st.form_submit_button("Save", icon=":material/save:", help="Writes name and note into the run's folder."):
            _do(lambda: _describe(manager, info, name, note))


def _describe(manager: Desk, info: RunInfo, name: str, note: str) -> None:
    check_own(manager, info.race)
    if name != info.name:
        rename(manager.runs, info.race or info.id, name)
    set_note(manager.runs, info.id, note)


def _do(action: Callable[[], object]) -> None:
    try:
        action()
    except (RunError, OSError, sqlite3.Error) as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    st.rerun()


@st.dialog("Delete this run?")
def _confirm_delete(manager: Desk, info: RunInfo) -> None:
    st.text(f"{info.name}\n{info.id}" if info.name else info.id)
    st.write("It will be gone for good, its checkpoints with it.")
    with st.container(horizontal=True):
        if st.button("Delete this run", type="primary", key="delete_for_good",
                     help="Removes its folder with all that was recorded; this cannot be undone."):  # fmt: skip
            _do(lambda: _delete(manager, info, info.id))
        others = [other for other in list_runs(manager.runs) if info.race and other.race == info.race]
        if len(others) > 1 and not any(other.live for other in others):
            if st.button(f"Delete all {len(others)} runs of the race", key="delete_race",
                         help="Removes the folders of all methods of this race; this cannot be undone."):  # fmt: skip
                _do(lambda: _delete(manager, info, info.race))
        if st.button("Cancel", key="delete_cancel", help="Leaves the run as it is."):
            st.rerun()  # which closes the dialog


def _delete(manager: Desk, info: RunInfo, view: str) -> None:
    check_own(manager, info.race)
    delete(manager.runs, view)
    _forget_choice()
