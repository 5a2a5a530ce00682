"""What `mkdocs build` adds to the pages of docs/: parts made from the code, and the pages that lie above docs/.

A page has a place for a made part: a line `<!-- made: NAME -->`, NAME being a key of `PARTS`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from command_line import command_line
from configuration import methods_table, run_fields, study_fields, tasks_table
from glossary_part import glossary_table_only
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File
from repository_links import in_the_site

ROOT = Path(__file__).parents[2]
ABOVE = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Files of the repository that are pages of the site, and their names there."""
PARTS = {
    "command line": command_line,
    "run fields": run_fields,
    "study fields": study_fields,
    "methods": methods_table,
    "tasks": tasks_table,
    "glossary": glossary_table_only,
}
_PLACE = re.compile(r"^<!-- made: (.+) -->$", re.MULTILINE)


def on_files(files: Any, *, config: Any) -> Any:
    """Add the pages that lie above docs/."""
    for name, page in ABOVE.items():
        files.append(File.generated(config, page, content=(ROOT / name).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Make the parts, and turn links to what is in the repository and not in the site into words."""
    lies_at = {page: ROOT / name for name, page in ABOVE.items()}
    source = lies_at.get(page.file.src_uri, ROOT / "docs" / page.file.src_uri)
    markdown = in_the_site(markdown, source, ROOT, {ROOT / name: page for name, page in ABOVE.items()})
    return _PLACE.sub(lambda found: _part(found[1], page.file.src_uri), markdown)


def _part(name: str, page: str) -> str:
    if name not in PARTS:
        raise PluginError(f"{page}: no part {name!r} is made; known: {', '.join(PARTS)}")
    return PARTS[name]()
