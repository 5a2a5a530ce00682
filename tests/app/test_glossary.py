"""The glossary: every lesson and page it names is there, and the pages take what it puts into their addresses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from stand_in import errors
from streamlit.testing.v1 import AppTest

from triadapt.glossary import PAGES, PAPERS, TERMS, glossary_markdown, glossary_table
from triadapt.lessons.registry import LESSONS

ROOT = Path(__file__).parent.parent.parent


def test_every_lesson_paper_and_page_exists_and_no_term_stands_there_twice() -> None:
    assert len(TERMS) >= 35 and len({term.term for term in TERMS.values()}) == len(TERMS)
    for term in TERMS.values():
        assert not term.lesson or term.lesson in LESSONS, term
        assert not term.paper or term.paper in PAPERS, term
        assert (ROOT / term.page).is_file() and term.page in PAGES, term


def test_a_meaning_is_one_sentence() -> None:
    for term in TERMS.values():
        assert term.meaning[0].isupper() and term.meaning.endswith(".") and ". " not in term.meaning, term.slug


def together(page: str) -> list[dict[str, list[str]]]:
    """What the terms of a page put into its address, in as few addresses as hold it all; only methods are several."""
    found: list[dict[str, list[str]]] = []
    for term in TERMS.values():
        if term.page != page or not term.query:
            continue
        for held in found:
            if all(name == "method" or held.get(name, [value]) == [value] for name, value in term.query.items()):
                break
        else:
            held = {}
            found.append(held)
        for name, value in term.query.items():
            if value not in held.setdefault(name, []):
                held[name].append(value)
    return found


@pytest.mark.parametrize("page", PAGES)
def test_a_page_takes_what_terms_put_into_its_address(page: str, visit: Callable[..., AppTest]) -> None:
    for query in together(page):
        app = visit(page, **query)
        assert not errors(app) and not app.warning, query


def test_addresses_and_tables_hold_every_term() -> None:
    rows = glossary_table()
    assert [row["slug"] for row in rows] == list(TERMS)
    for row in rows:
        parts = urlsplit(row["address"])
        assert parts.path == PAGES[row["page"]][1]
        assert {name: values[0] for name, values in parse_qs(parts.query).items()} == row["query"]
    lines = glossary_markdown().splitlines()
    assert len(lines) == len(TERMS) + 4 and not any(line.count(" | ") != 4 for line in lines[2:3] + lines[4:])
    sensitivity = next(line for line in lines if 'id="sensitivity"' in line)
    assert r"`\|p g\|`" in sensitivity and "[AdaLoRA](https://arxiv.org/abs/2303.10512)" in sensitivity


def test_it_needs_neither_torch_nor_streamlit() -> None:
    code = "import sys, triadapt.glossary; print({'torch', 'streamlit'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "set()"
