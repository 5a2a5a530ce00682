"""Links of a repository's Markdown, as they are in a site that holds only a part of the repository."""

from __future__ import annotations

import re
from collections.abc import Mapping
from os.path import relpath
from pathlib import Path

_LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\(([^)\s]+)\)")


def in_the_site(markdown: str, source: Path, root: Path, pages: Mapping[Path, str]) -> str:
    """`markdown` of the file `source` with links that hold in the site made of `root`/docs and `pages`, files elsewhere
    by their page. A link to anything else of the repository becomes its words and the path; a link to what is not
    there stays as it is, for the build to refuse."""
    docs = root / "docs"
    # A page from above docs/ lies beside the others in the site.
    folder = source.parent if source.is_relative_to(docs) else docs

    def mended(found: re.Match[str]) -> str:
        words, target = found.groups()
        path, sharp, anchor = target.partition("#")
        if not path or "://" in target or target.startswith("mailto:"):
            return found[0]
        file = (source.parent / path).resolve()
        if file in pages:
            return f"[{words}]({relpath(docs / pages[file], folder)}{sharp}{anchor})"
        if file.is_file() and file.is_relative_to(docs):
            return f"[{words}]({relpath(file, folder)}{sharp}{anchor})"
        if file.exists():
            place = f"`{file.relative_to(root).as_posix()}`"
            return place if words.strip("`") == place.strip("`") else f"{words} ({place})"
        return found[0]

    return _LINK.sub(mended, markdown)
