"""The controls of Play that a teacher may lock or hide."""

from __future__ import annotations

from triadapt.classroom.limits import TASKS_IN_CLASS
from triadapt.ui.control_fields import MORE, OF_METHOD, OF_TASK, SCHEDULE, TRAINING

CONTROLS = (
    "method", "task", *(field.key for field in (*SCHEDULE, *TRAINING, *MORE)),
    *(field.key for fields in OF_METHOD.values() for field in fields),
    *(field.key for task in TASKS_IN_CLASS for field in OF_TASK[task] if not field.text),
)  # fmt: skip
"""By their names in the address. A line of text is none: no student has it."""
