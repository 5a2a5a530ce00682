"""Codes of classes, keys of teachers and marks of visitors: made here, and checked before they are used."""

from __future__ import annotations

import hmac
import re
import secrets

from triadapt.runs.info import RunError

# Without letters and digits that are taken for one another when they are read off a wall.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_CODE = r"[a-z0-9][a-z0-9-]{2,31}"
_KEY = r"[A-Za-z0-9_-]{16,64}"


def new_code() -> str:
    """A code that can be read aloud."""
    return "".join(secrets.choice(_LETTERS) for _ in range(6))


def new_key() -> str:
    """A key of 128 random bits."""
    return secrets.token_urlsafe(16)


def is_code(text: str) -> bool:
    """Whether `text` has the form of a class's code."""
    return re.fullmatch(_CODE, text) is not None


def checked_code(text: str) -> str:
    """`text` if it has the form of a class's code. Raises RunError."""
    if not is_code(text):
        raise RunError(f"class = {text[:40]!r}: give 3 to 32 small letters, digits and dashes, such as spring-1")
    return text


def is_key(text: str) -> bool:
    """Whether `text` has the form of a key, a teacher's or a visitor's."""
    return re.fullmatch(_KEY, text) is not None


def same_key(given: str, key: str) -> bool:
    """Whether `given` is the key; takes as long for one that is nearly right as for any other."""
    return is_key(key) and hmac.compare_digest(given.encode(), key.encode())
