"""What stands on a page, as the visitor reads it."""

from __future__ import annotations

import re
from typing import Any


def words(element: Any) -> str:
    """The text of an element of Streamlit without the escapes that keep it from being read as Markdown."""
    return re.sub(r"\\([^a-zA-Z0-9\s])", r"\1", element.value)
