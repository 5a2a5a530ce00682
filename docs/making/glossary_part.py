"""The glossary as a part of a page, without the heading that it has as a page of its own."""

from __future__ import annotations

from triadapt.glossary import glossary_markdown


def glossary_table_only() -> str:
    """The table of all terms."""
    return glossary_markdown().partition("\n\n")[2]
