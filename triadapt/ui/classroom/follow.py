"""Follow me: students' pages go along to where the teacher is.

A small fragment asks every few seconds; all it reads is a number in memory and whether the file of the class is still
the same, and nothing is drawn anew until one of them moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from triadapt.classroom.following import Place, move, place_of
from triadapt.lessons.registry import LESSONS
from triadapt.ui.address import on_view
from triadapt.ui.classroom.room import Room, room
from triadapt.ui.front_door import page_name
from triadapt.ui.markdown import plain
from triadapt.ui.visits import Visit

LOOK_SECONDS = 2.5
FOLLOWED, TOLD = "class_followed", "class_told"


@dataclass
class Followed:
    """seen: the number of the place this session went to last. left: whether the student goes their own way."""

    seen: int = -1
    left: bool = False


def tell_class(page: StreamlitPage) -> None:
    """Remember where the teacher is. Call when the page has run; does nothing for anybody else."""
    here = room()
    if here is None or not here.teacher:
        return
    name = page_name(page)
    lesson = st.query_params.get("lesson", "") if name == "learn" else ""
    run = (on_view().race or "") if name == "play" else ""
    place = here.code, name, lesson if lesson in LESSONS else "", run
    # Only news: another page of the teacher's, on the wall perhaps, must not pull the class back when it is redrawn.
    if st.session_state.get(TOLD) != place:
        st.session_state[TOLD] = place
        move(*place)


def class_bar() -> None:
    """The line at the top of a student's pages, which goes along with the teacher."""
    here = room()
    if here is not None and not here.teacher:
        st.fragment(_bar, run_every=LOOK_SECONDS)(here)


def _bar(here: Room) -> None:
    if room() != here:
        st.rerun()  # the whole page: its controls, the pages in the menu and this line are of what the class was before
    place, followed = place_of(here.code), _followed()
    if place.on and not followed.left and place.number != followed.seen and place.page in here.pages:
        followed.seen = place.number
        _go(place)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="class_bar"):
        st.caption(f":material/school: {plain(here.title)}", width="content")
        if here.problem:
            st.caption(f":material/error: {plain(here.problem)}")
        elif place.on and followed.left:
            st.button(
                "Follow the teacher", type="tertiary", icon=":material/directions_walk:", key="class_follow",
                help="This page goes along with the teacher's again.", on_click=_follow, args=(False,),
            )  # fmt: skip
        elif place.on:
            st.button(
                "Leave the teacher", type="tertiary", icon=":material/logout:", key="class_leave",
                help="This page goes along with the teacher's.", on_click=_follow, args=(True,),
            )  # fmt: skip


def _followed() -> Followed:
    found: Followed = st.session_state.setdefault(FOLLOWED, Followed())
    return found


def _follow(left: bool) -> None:
    followed = _followed()
    followed.left, followed.seen = left, -1


def _go(place: Place) -> None:
    """To the teacher's page, as if the visitor had just come there."""
    wanted = {"lesson": place.lesson, "run": place.run}
    visit: Visit | None = st.session_state.get("visit")
    if visit is not None:
        visit.page = None
    st.switch_page(f"pages/{place.page}.py", query_params={name: value for name, value in wanted.items() if value})
