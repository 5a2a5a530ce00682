"""The pages there are, and visitors who come by the address of one to a server that was just started."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage
from streamlit.runtime.pages_manager import PagesManager

from triadapt.page_names import PAGES
from triadapt.ui.classroom.room import student
from triadapt.ui.classroom.rules import shows_page
from triadapt.ui.classroom.seat import seat

WANTED, ENTERED = "wanted_page", "entered"


def front_pages() -> list[StreamlitPage]:
    """The pages of this session; in a class those that its students see."""
    shown = [
        st.Page(
            page.file, title=page.title, icon=page.icon, default=name == "play",
            url_path="home" if name == "play" else name,
        )
        for name, page in PAGES.items()
        if shows_page(name)
    ]  # fmt: skip
    if shows_page("play"):
        return [*shown, st.Page(to_play, title="Play", url_path="play", visibility="hidden")]
    return [*shown, st.Page(to_the_class, title="Class", url_path="home", default=True, visibility="hidden")]


def page_name(page: StreamlitPage) -> str:
    """What the file of a page is called."""
    return "play" if page.url_path in ("", "home") else page.url_path


def through_front_door(page: str) -> None:
    """Go by way of `app.py` if it never ran on this server; go no further where the page is not for this visitor.

    Until it has, Streamlit takes every file in `pages/` for a page of its own, without our navigation and page setup.
    """
    seat()  # as long as the address says who comes
    if getattr(PagesManager, "uses_pages_directory", False) and ENTERED not in st.session_state:
        st.session_state[WANTED] = (page, _address())
        st.switch_page("app.py")
    if not shows_page(Path(page).stem):
        st.error("This page is not part of the class.", icon=":material/lock:")
        st.stop()


def on_to_the_page(page: StreamlitPage) -> None:
    """In `app.py`, once the navigation is known: send the visitor on to where they wanted to go, and a student who
    wanted nothing in particular to where the class begins."""
    st.session_state[ENTERED] = True
    wanted = st.session_state.pop(WANTED, None)
    if wanted is not None and shows_page(Path(wanted[0]).stem):
        seat().landed = True
        name, address = wanted
        st.switch_page(name, query_params=address)
    taken, room = seat(), student()
    landed, taken.landed = taken.landed, True
    if room is not None and not landed and page_name(page) == "play" and "run" not in st.query_params:
        to_the_class(only_lesson=True)


def to_play() -> None:
    """The page at `/play`, which is the first page under its own name."""
    st.switch_page("pages/play.py", query_params=_address())


def to_the_class(*, only_lesson: bool = False) -> None:
    """To the lesson of the class, else (unless `only_lesson`) to the first of its pages."""
    room = student()
    if room is None:
        return
    if room.lesson and "learn" in room.pages:
        st.switch_page("pages/learn.py", query_params=_address() | {"lesson": [room.lesson]})
    if not only_lesson:
        st.switch_page(f"pages/{room.pages[0]}.py", query_params=_address())


def _address() -> dict[str, list[str]]:
    """Every name in the address with all of its values: `to_dict` keeps one."""
    return {name: st.query_params.get_all(name) for name in st.query_params}
