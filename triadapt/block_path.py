"""Where a path in a model leads into one of its numbered blocks."""

from __future__ import annotations


def block_of(path: str) -> tuple[int, str] | None:
    """Index of the block, which is the first number in `path`, and the path inside it, empty for the block itself;
    None where no part is a number."""
    parts = path.split(".")
    for at, part in enumerate(parts):
        # int() knows more digits than those that number blocks.
        if part.isascii() and part.isdecimal() and len(part) < 7:
            return int(part), ".".join(parts[at + 1 :])
    return None
