"""What a teacher sets, as widgets."""

from __future__ import annotations

from typing import Any

import streamlit as st

from triadapt.classroom.controls import CONTROLS
from triadapt.classroom.settings import PAGES, ClassSettings, parse_class
from triadapt.lessons.registry import LESSONS
from triadapt.methods.registry import AT_FIRST
from triadapt.page_names import PAGES as ALL_PAGES
from triadapt.runs.library import list_runs
from triadapt.ui import manager as managers
from triadapt.ui.chooser import choices
from triadapt.ui.classroom.rules import fixed
from triadapt.ui.control_fields import FIELDS, default_of
from triadapt.ui.control_memory import kept_controls
from triadapt.ui.markdown import plain

NAMES = {"method": "Methods", "task": "Task"}
LOCKED_HELP = "Students see them at the values they have on your Play page when you save, and cannot move them."
HIDDEN_HELP = "They are not drawn for students, and hold their locked value, else their default."


def settings_widgets(before: ClassSettings, key: str) -> ClassSettings:
    """Draw them. Returns what they say. Raises ConfigError. key: another for another class."""
    title = st.text_input(
        "Title", before.title, max_chars=120, key=f"{key}-title", help="Stands at the top of every student's page."
    )
    lesson = st.selectbox(
        "Lesson to open at", ["", *LESSONS], index=["", *LESSONS].index(before.lesson), key=f"{key}-lesson",
        help="Where the students' link leads.",
        format_func=lambda slug: LESSONS[slug].title if slug else "None: the Play page",
    )  # fmt: skip
    runs = {"": "What runs, else a recorded race"} | choices(list_runs(managers.manager().runs))
    if before.run and before.run not in runs:
        runs[before.run] = before.run
    run = st.selectbox(
        "Race on Play",
        list(runs),
        index=list(runs).index(before.run),
        key=f"{key}-run",
        format_func=runs.__getitem__,
        help="What Play shows to students who have chosen nothing yet.",
    )
    pages = st.pills(
        "Pages", list(PAGES), default=before.pages, selection_mode="multi", key=f"{key}-pages",
        format_func=lambda name: ALL_PAGES[name].title,
        help="Your work is never among them: it reads files of this machine.",
    )  # fmt: skip
    locked = st.multiselect(
        "Locked controls", CONTROLS, default=[name for name in CONTROLS if name in before.locked], key=f"{key}-locked",
        format_func=control_label, help=LOCKED_HELP,
    )  # fmt: skip
    values = {name: value_now(name, before) for name in locked}
    if values:
        told = "; ".join(f"{control_label(name)} {fixed(value)}" for name, value in values.items())
        st.caption(f":material/lock: Locked at {plain(told)}. Move them on Play, then save again.")
    hidden = st.multiselect(
        "Hidden controls", CONTROLS, default=[name for name in CONTROLS if name in before.hidden], key=f"{key}-hidden",
        format_func=control_label, help=HIDDEN_HELP,
    )  # fmt: skip
    training = st.toggle(
        "Students may train",
        before.training,
        key=f"{key}-training",
        help="Off: recorded races only, on Play and in lessons.",
    )
    return parse_class({
        "title": title.strip(), "lesson": lesson, "run": run, "pages": [name for name in PAGES if name in pages],
        "hidden": hidden, "locked": values, "training": training,
    })  # fmt: skip


def control_label(name: str) -> str:
    """What a control is called."""
    return NAMES.get(name) or FIELDS[name].label


def value_now(name: str, before: ClassSettings) -> Any:
    """What the teacher's own control holds: on Play now, else when the class was saved, else at the beginning."""
    kept = kept_controls().values
    if name in kept and kept[name] not in (None, []):
        return list(kept[name]) if name == "method" else kept[name]
    if name in before.locked:
        return before.locked[name]
    task = str(kept.get("task", "planted"))
    return {"method": list(AT_FIRST), "task": task}.get(name) or default_of(name, task)
