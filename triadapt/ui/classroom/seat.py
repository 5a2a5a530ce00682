"""Who a session is: its visitor's mark, the class it is in, whether it is the teacher's.

Settled once a session, from the address and the cookies it came with. The cookies let a reload, which is a new session,
be the same visitor. The teacher's key leaves the address at once, for the teacher's screen is often on a wall.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import streamlit as st

from triadapt.classroom.names import is_code, is_key, new_key, same_key
from triadapt.classroom.server import served_class
from triadapt.classroom.store import read_class
from triadapt.runs.info import RunError
from triadapt.runs.library import runs_folder

SEAT = "classroom_seat"
CLASS, TEACHER = "class", "teacher"
"""Names in the address: of a class on a server that has several, and of the teacher's key."""
VISITOR_COOKIE, TEACHER_COOKIE = "triadapt_visitor", "triadapt_teacher"
COOKIE_SECONDS = 30 * 24 * 3600


@dataclass
class Seat:
    """visitor: tells this visitor from others, and nothing else. code: of the class, None outside any. served: whether
    the server was started for this class. problem: what was wrong in the address. landed: whether the session has been
    led to where its class begins."""

    visitor: str
    code: str | None = None
    teacher: bool = False
    served: bool = False
    problem: str = ""
    key: str = ""
    landed: bool = False


def seat() -> Seat:
    """Of this session."""
    found: Seat | None = st.session_state.get(SEAT)
    if found is None:
        found = st.session_state[SEAT] = _take_seat()
    return found


def _take_seat() -> Seat:
    cookies = st.context.cookies
    mark = str(cookies.get(VISITOR_COOKIE, ""))
    taken = Seat(mark if is_key(mark) else new_key())
    served = served_class()
    if served is None:
        return _named_in_the_address(taken)
    taken.code, taken.served = served.code, True
    given = st.query_params.get(TEACHER, "")
    for key in (given, str(cookies.get(TEACHER_COOKIE, ""))):
        if served.key and same_key(key, served.key):
            taken.teacher, taken.key = True, served.key
    if given and not taken.teacher:
        taken.problem = "teacher in the address: not the key of this class; open the link that `triadapt class` printed"
    return taken


def _named_in_the_address(taken: Seat) -> Seat:
    code = st.query_params.get(CLASS, "")
    if not code:
        return taken
    try:
        read_class(runs_folder(None), code)
    except RunError as error:
        taken.problem = str(error)
        # A class whose file is damaged is still a class; one that never was is none.
        if not is_code(code) or "damaged" not in taken.problem:
            return taken
    taken.code = code
    return taken


def keep_address() -> None:
    """Take the teacher's key out of the address, and keep the code of the class in it. Call at the top of each run."""
    taken = seat()
    if TEACHER in st.query_params:
        st.query_params.pop(TEACHER, None)
    if taken.code is not None and not taken.served and not taken.teacher and CLASS not in st.query_params:
        st.query_params[CLASS] = taken.code


def cookies_script() -> str:
    """A script that lets the browser keep who the session is. The same at each run of a session."""
    taken = seat()
    kept = {VISITOR_COOKIE: taken.visitor} | ({TEACHER_COOKIE: taken.key} if taken.key else {})
    lines = [f"{name}={value}; path=/; max-age={COOKIE_SECONDS}; SameSite=Strict" for name, value in kept.items()]
    return f"<script>for (const one of {json.dumps(lines)}) document.cookie = one;</script>"
