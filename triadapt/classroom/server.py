"""What a server that was started for a class knows of it, from its environment."""

from __future__ import annotations

import os
from dataclasses import dataclass

from triadapt.classroom.names import is_code, is_key

CODE, KEY = "TRIADAPT_CLASS", "TRIADAPT_CLASS_KEY"


@dataclass(frozen=True)
class ServedClass:
    """The class that every visitor of this server is in. key: of its teacher; empty where nobody can be."""

    code: str
    key: str


def served_class() -> ServedClass | None:
    """The class this server was started for, or None on a server without one.

    What the environment says wrongly leaves a class without a teacher rather than a server without a class.
    """
    code = os.environ.get(CODE)
    if code is None:
        return None
    key = os.environ.get(KEY, "")
    return ServedClass(code if is_code(code) else "class", key if is_key(key) else "")
