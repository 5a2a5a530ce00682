"""The teacher's panel."""

from __future__ import annotations


def classroom_panel() -> None:
    """Draw the panel `For teachers`; nothing for a student."""
