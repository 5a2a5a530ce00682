"""What holds for a session in a class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from triadapt.classroom.settings import PAGES, ClassSettings
from triadapt.classroom.store import read_class
from triadapt.runs.info import RunError
from triadapt.runs.library import runs_folder
from triadapt.ui.classroom.seat import Seat, seat


@dataclass(frozen=True)
class Room:
    """A class as one session has it. For the teacher nothing is locked or hidden.

    lesson, run: where the class begins, None where the teacher chose none. training: whether this visitor may train.
    locked: values of controls that stand still, by their names in the address. hidden: controls that are not drawn.
    pages: those that are shown. problem: one line about a damaged file; then nothing may be trained.
    """

    code: str
    title: str
    lesson: str | None = None
    run: str | None = None
    training: bool = True
    locked: Mapping[str, Any] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    pages: tuple[str, ...] = PAGES
    teacher: bool = False
    problem: str = ""


def room() -> Room | None:
    """The room of this session, or None outside any class. Cheap; what the teacher changes holds at the next call."""
    return room_of(seat())


def room_of(taken: Seat) -> Room | None:
    """The same without a look at the session, at which a script that is no longer wanted would end."""
    if taken.code is None:
        return None
    try:
        settings, problem = read_class(runs_folder(None), taken.code), ""
    except RunError as error:
        settings, problem = ClassSettings(training=False), str(error)
    room = Room(
        taken.code, settings.title, settings.lesson or None, settings.run or None, teacher=taken.teacher,
        problem=problem,
    )  # fmt: skip
    if taken.teacher:
        return room
    return Room(
        room.code, room.title, room.lesson, room.run, settings.training, settings.locked, frozenset(settings.hidden),
        tuple(settings.pages), False, problem,
    )  # fmt: skip


def student() -> Room | None:
    """The room of a session that is a student's; None for everybody else."""
    return student_of(seat())


def student_of(taken: Seat) -> Room | None:
    """The same without a look at the session."""
    found = room_of(taken)
    return found if found is not None and not found.teacher else None
