"""What a class changes on the pages: which are there, which controls stand still, whose races one may steer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from triadapt.classroom.limits import TASKS_IN_CLASS, free_texts
from triadapt.runs.info import RunError, RunInfo
from triadapt.tasks.registry import TASKS
from triadapt.ui.classroom.room import Room, student, student_of
from triadapt.ui.classroom.seat import Seat, seat

FIXED_HELP = "The teacher has fixed this."


class Queue(Protocol):
    """What is asked of whoever queues races: the manager, or the desk before it."""

    def made_by(self, race_id: str) -> str | None: ...
    def active(self) -> list[str]: ...


@dataclass(frozen=True)
class ControlRules:
    """Of the controls of Play. locked: values of those that stand still. hidden: those that are not drawn and hold what
    is locked or their default. tasks: that can be chosen."""

    locked: Mapping[str, Any] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    tasks: tuple[str, ...] = tuple(TASKS)


def control_rules() -> ControlRules:
    """For this session."""
    return rules_of(student())


def rules_of(room: Room | None) -> ControlRules:
    """For the sessions of students in a room; for all others without one."""
    if room is None:
        return ControlRules()
    texts = {name for task in TASKS_IN_CLASS for name in free_texts(task)}
    return ControlRules(room.locked, room.hidden | texts, TASKS_IN_CLASS)


def fixed(value: Any) -> str:
    """A locked value, as it is told."""
    return ", ".join(value) if isinstance(value, list) else str(value)


def shows_page(name: str) -> bool:
    """Whether a page, by the name of its file, is there for this session."""
    room = student()
    return room is None or name in room.pages


def may_train() -> bool:
    """Whether this session may start anything."""
    room = student()
    return room is None or room.training


def owns(manager: Queue, race: str, taken: Seat | None = None) -> bool:
    """Whether this session, or that of a seat, may stop, hold, resume, rename or delete a race: everybody outside a
    class and the teacher, and in a class whoever started it since the server was."""
    taken = taken or seat()
    return student_of(taken) is None or manager.made_by(race) == taken.visitor


def in_sight(manager: Queue, infos: Sequence[RunInfo]) -> list[RunInfo]:
    """Of the runs those that this session chooses from: a student from their own, the class's, and those under
    way."""
    room = student()
    if room is None:
        return list(infos)
    there = {room.run, *manager.active()}
    return [info for info in infos if {info.id, info.race} & there or owns(manager, info.race)]


def check_own(manager: Queue, race: str, taken: Seat | None = None) -> None:
    """Raises RunError where `owns` says no."""
    if not owns(manager, race, taken):
        raise RunError(f"race {race[:60]}: not one of yours; only who started it here, and the teacher, may do that")
