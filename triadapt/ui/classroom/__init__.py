"""Classes on the pages. `room()` says what holds for a session; `classroom_panel()` is the teacher's."""

from triadapt.ui.classroom.panel import classroom_panel
from triadapt.ui.classroom.room import Room, room

__all__ = ["Room", "classroom_panel", "room"]
