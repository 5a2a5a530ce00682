"""Every link of every Markdown file leads somewhere. Nothing is asked of the network."""

import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import triadapt
from triadapt.methods.registry import METHODS

ROOT = Path(triadapt.__file__).parents[1]
ELSEWHERE = {"site", "runs", "node_modules"}
FOLDERS = [path for path in ROOT.iterdir() if path.is_dir() and path.name[0] != "." and path.name not in ELSEWHERE]
FILES = sorted([*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in folder.rglob("*.md"))])
FENCE = re.compile(r"^(```+|~~~+).*?^\1\s*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(?<!`)(`+)(?!`)[^\n]+?(?<!`)\1(?!`)")
LINK = re.compile(r"\[(?:[^\[\]]|!\[[^\]]*\]\([^)]*\))*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
MADE = re.compile(r"^(?:::: |<!-- made: )", re.MULTILINE)


def prose(path: Path) -> str:
    """What is not code."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    return "\n".join(line for line in text.splitlines() if not line.startswith("    "))


def links(path: Path) -> list[str]:
    return LINK.findall(CODE.sub("", prose(path)))


@cache
def anchors(path: Path) -> set[str]:
    """Names of the headings, as GitHub and the site give them."""
    found: dict[str, int] = {}
    for heading in HEADING.findall(prose(path)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        found[name] = found.get(name, 0) + 1
    return set(found)


def test_there_is_something_to_look_at() -> None:
    assert ROOT / "README.md" in FILES
    assert len([link for path in FILES for link in links(path)]) > 100


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(path: Path) -> None:
    for link in links(path):
        parts = urlsplit(link)
        if parts.scheme:
            assert parts.scheme == "https", link
            assert re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", parts.netloc), link
            continue
        assert not parts.netloc and not parts.path.startswith("/"), f"{link}: not relative"
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        assert target.exists(), f"{link}: no such file"
        assert target.is_relative_to(ROOT), f"{link}: outside of the repository"
        # Headings of parts that are made from the code are known to the build of the site alone, which looks at them.
        if parts.fragment and target.suffix == ".md" and not MADE.search(target.read_text(encoding="utf-8")):
            assert parts.fragment in anchors(target), f"{link}: no such heading; there are {sorted(anchors(target))}"


def test_the_reference_names_all_that_the_package_offers() -> None:
    text = (ROOT / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
    assert {spec.tuner_name for spec in METHODS.values() if spec.ours} < set(triadapt.__all__)
    assert all(hasattr(triadapt, name) for name in triadapt.__all__)
    assert [name for name in triadapt.__all__ if f"`{name}`" not in text] == []


def test_every_page_of_docs_is_in_the_navigation() -> None:
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    pages = [path.relative_to(ROOT / "docs").as_posix() for path in FILES if path.is_relative_to(ROOT / "docs")]
    assert [page for page in pages if not re.search(rf": {re.escape(page)}$", nav, re.MULTILINE)] == []
