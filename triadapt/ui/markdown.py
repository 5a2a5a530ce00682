"""Text that somebody wrote, on pages that read Markdown.

Names of runs, errors, file names and columns come from anywhere, from a bundle or a link that was handed on. Streamlit
reads most of what it shows as Markdown, in which they could be pictures and links.
"""

from __future__ import annotations

import re


def plain(text: str) -> str:
    """Text that somebody wrote, for a place that reads Markdown."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|~$:-])", r"\\\1", text)
