"""Docstrings of installed libraries, read from their sources: nothing is imported, nothing is downloaded.

The order of everything here comes from sorted paths and sha256, never from the file system, from `hash()` or from a
clock, so that equal library versions give equal docstrings on every machine.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MIN_WORDS, MAX_WORDS = 6, 60
MAX_FILE_BYTES = 100_000  # parsing time goes with size, while only a few docstrings of a long file are kept
MAX_PER_MODULE = 40  # so that no single file of thousands of lines becomes most of the held-out rows
SELECTION = "triadapt docstrings"

_SKIPPED_FOLDERS = frozenset({"tests", "test", "testing", "_vendor", "vendor", "node_modules", "__pycache__"})

_LIBRARY_NAME = re.compile(
    r"(?<![a-z0-9])(?:numpy|pandas|pytorch|torch|transformers|streamlit|plotly|networkx|hugging ?face(?:[_ ]hub)?"
    r"|scipy|sklearn|scikit-learn|tensorflow|keras|jax|matplotlib|sympy|pyarrow"
    r"|(?:np|pd|st|px|nx|hf)(?=\.[a-z]))(?![a-z0-9])",
    re.IGNORECASE,
)
_BLANK_LINE = re.compile(r"\n\s*\n")
_ROLE = re.compile(r":[a-zA-Z:+-]+:`[~!]?([^`<]*?)(?:\s*<[^`]*>)?`")
_QUOTED = re.compile(r"`[^`]*`|'[^']*'|\"[^\"]*\"")
_IDENTIFIER = re.compile(r"\w+(?:\.\w+)+|\w*_\w+|\w*[a-z]\w*[A-Z]\w*|\w+(?=\()")
_NUMBER = re.compile(r"\d+")
_NOT_WORD = re.compile(r"[^a-z0 ]+")


@dataclass(frozen=True)
class Library:
    """An installed package: import name, its source folder, its version."""

    name: str
    root: Path
    version: str


@dataclass(frozen=True)
class Docstring:
    """The name of a function or class and the first paragraph of its docstring, library names masked in both."""

    name: str
    summary: str


@dataclass(frozen=True)
class Module:
    """The usable docstrings of one source file; `path` is relative to the folder that holds the package."""

    library: str
    path: str
    docstrings: tuple[Docstring, ...]


def find_libraries(names: tuple[str, ...]) -> tuple[list[Library], list[str]]:
    """Installed packages of `names`, in that order, and the names that are missing. Imports none of them."""
    found, missing = [], []
    for name in names:
        try:
            spec = importlib.util.find_spec(name)  # a top-level name: finding it runs no code of the package
            version = importlib.metadata.version(name)
        except (ImportError, ValueError, importlib.metadata.PackageNotFoundError):
            spec, version = None, ""
        roots = [Path(root) for root in (spec.submodule_search_locations or [])] if spec else []
        if roots and roots[0].is_dir():
            found.append(Library(name, roots[0], version))
        else:
            missing.append(name)
    return found, missing


def harvest(libraries: list[Library], wanted: int) -> dict[str, list[Module]]:
    """Modules of each library until about `wanted` docstrings are there, shared evenly.

    A library with too few is made up for by the others. Near-duplicates are kept once over all libraries.
    """
    seen: set[str] = set()
    streams = {library.name: _modules(library, seen) for library in libraries}
    modules: dict[str, list[Module]] = {name: [] for name in streams}
    missing = wanted
    goal = 0
    active = list(streams)
    while missing > 0 and active:  # a second round only when a library ran out in the first
        goal += -(-missing // len(active))
        for name in list(active):
            here = sum(len(module.docstrings) for module in modules[name])
            while here < goal and missing > 0:
                module = next(streams[name], None)
                if module is None:
                    active.remove(name)
                    break
                modules[name].append(module)
                here += len(module.docstrings)
                missing -= len(module.docstrings)
    return modules


def _modules(library: Library, seen: set[str]) -> Iterator[Module]:
    paths = []
    for file in library.root.rglob("*.py"):
        inside = file.relative_to(library.root)
        if _SKIPPED_FOLDERS.isdisjoint(inside.parts) and not file.name.startswith("test_"):
            paths.append(inside.as_posix())
    for path in sorted(paths, key=lambda path: (draw(library.name, path), path)):
        kept = []
        for docstring in read_docstrings(library.root / path):
            key = near_duplicate_key(docstring)
            if key not in seen:
                seen.add(key)
                kept.append(docstring)
        kept.sort(key=lambda docstring: draw(library.name, path, docstring.name, docstring.summary))
        kept = kept[:MAX_PER_MODULE]
        # A lone name has no other name of its module to be confused with.
        if len({docstring.name for docstring in kept}) > 1:
            yield Module(library.name, f"{library.name}/{path}", tuple(kept))


def draw(*parts: str) -> bytes:
    """A fixed pseudo-random sort key of the parts, the same in every process and on every machine."""
    return hashlib.sha256("\0".join((SELECTION, *parts)).encode(errors="backslashreplace")).digest()


def read_docstrings(file: Path) -> list[Docstring]:
    """Usable docstrings of one source file, in its order; empty when it cannot be read or parsed."""
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            return []
        source = file.read_bytes()
        if b'"""' not in source and b"'''" not in source:
            return []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in other people's sources
            tree = ast.parse(source)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    usable = []
    for node in _definitions(tree):
        text = ast.get_docstring(node, clean=False)  # the indentation goes with the other white space below
        if not text or node.name.startswith("__"):
            continue
        words = _BLANK_LINE.split(text.strip(), 1)[0].split()
        if not MIN_WORDS <= len(words) <= MAX_WORDS:
            continue
        name = mask_libraries(node.name.strip("_"))
        summary = mask_libraries(_ROLE.sub(r"\1", " ".join(words)).replace("`", ""))
        if len(name) > 1 and summary.isprintable() and ">>>" not in summary and "---" not in summary:
            usable.append(Docstring(name, summary))
    return usable


def _definitions(
    parent: ast.Module | ast.ClassDef,
) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in parent.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        if isinstance(node, ast.ClassDef):
            yield from _definitions(node)


def mask_libraries(text: str) -> str:
    """The text with every library name replaced by the word `library`."""
    return _LIBRARY_NAME.sub("library", text)


def near_duplicate_key(docstring: Docstring) -> str:
    """What two summaries share when they differ in numbers, identifiers, quoted values or their own name only."""
    text = docstring.summary.replace(docstring.name, " x ").replace(docstring.name.lower(), " x ")
    text = _IDENTIFIER.sub(" x ", _QUOTED.sub(" x ", text))
    return " ".join(_NOT_WORD.sub(" ", _NUMBER.sub("0", text).lower()).split())
