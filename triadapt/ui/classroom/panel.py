"""The teacher's panel."""

from __future__ import annotations

import streamlit as st

from triadapt.classroom.following import place_of, turn
from triadapt.classroom.names import new_code
from triadapt.classroom.settings import ClassSettings
from triadapt.classroom.store import list_classes, read_class, write_class
from triadapt.config import ConfigError
from triadapt.runs.info import RunError
from triadapt.runs.library import runs_folder
from triadapt.ui.classroom.panel_links import link_section
from triadapt.ui.classroom.panel_settings import settings_widgets
from triadapt.ui.classroom.room import student
from triadapt.ui.classroom.seat import Seat, seat
from triadapt.ui.markdown import plain

NEW = ""


def classroom_panel() -> None:
    """Draw the panel `For teachers`; nothing for a student."""
    taken = seat()
    if student() is not None:
        return
    with st.expander("For teachers", icon=":material/school:", expanded=taken.teacher, key="class_panel"):
        if taken.problem:
            st.error(plain(taken.problem), icon=":material/error:")
        if not taken.served:
            _choose(taken)
        _class(taken)


def _choose(taken: Seat) -> None:
    """Which class of this folder, on a server that was not started for one."""
    codes = [NEW, *list_classes(runs_folder(None))]
    code = st.selectbox(
        "Class", codes, index=codes.index(taken.code or NEW) if taken.code in codes else 0,
        key=f"class_code-{taken.code}", format_func=lambda code: code or "New class",
        help="Opens a class that was made before, or begins one.",
    )  # fmt: skip
    if code != (taken.code or NEW):
        taken.code, taken.teacher = code or None, bool(code)
        st.rerun()


def _class(taken: Seat) -> None:
    before, runs = ClassSettings(), runs_folder(None)
    if taken.code is not None:
        try:
            before = read_class(runs, taken.code)
        except RunError as error:
            st.error(plain(str(error)), icon=":material/error:")
    left, right = st.columns(2, gap="large")
    with left:
        try:
            settings = settings_widgets(before, f"class-{taken.code}")
        except ConfigError as error:
            settings = None
            for line in error.lines:
                st.error(plain(line), icon=":material/error:")
        changed = settings != before or taken.code is None
        if st.button(
            "Save" if taken.code else "Make the class", type="primary", icon=":material/save:", key="class_save",
            disabled=settings is None or not changed,
            help="Writes the class into the folder of runs; its link follows.",
        ):  # fmt: skip
            assert settings is not None
            _save(taken, settings)
    if taken.code is None:
        return
    with right:
        if changed:
            st.caption(":material/edit: Changed, and not saved yet.")
        link_section(taken.code, served=taken.served)
        st.toggle(
            "Students follow me", place_of(taken.code).on, key="class_follow_me", on_change=_turn, args=(taken.code,),
            help="Their pages go along to the lesson or race you have open; each may leave and come back.",
        )  # fmt: skip


def _save(taken: Seat, settings: ClassSettings) -> None:
    code = taken.code or new_code()
    try:
        write_class(runs_folder(None), code, settings)
    except OSError as error:
        st.error(plain(f"class {code} could not be saved: {error.strerror or error}"), icon=":material/error:")
        return
    taken.code, taken.teacher = code, True
    st.rerun()


def _turn(code: str) -> None:
    turn(code, bool(st.session_state["class_follow_me"]))
