"""Docstrings are read from sources, masked, kept once, and split so that no held-out module was trained on."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from triadapt.config import ConfigError
from triadapt.tasks.cache_folder import cache_folder
from triadapt.tasks.text import rows as rows_module
from triadapt.tasks.text.docstrings import (
    Docstring,
    Library,
    find_libraries,
    harvest,
    mask_libraries,
    near_duplicate_key,
    read_docstrings,
)
from triadapt.tasks.text.rows import load_rows

WORDS = "apple river stone cloud engine mirror lantern harbour violin meadow copper saddle".split()


def _write_package(root: Path, modules: int, prefix: str) -> None:
    root.mkdir(parents=True)
    for module in range(modules):
        functions = []
        for index in range(8):
            about = " ".join(WORDS[(module * step + index * (step + 2)) % len(WORDS)] for step in range(1, 8))
            word = "".join(chr(ord("a") + int(digit)) for digit in f"{module:02d}{index}")
            functions.append(f'def {prefix}{word}():\n    """Return the {prefix} {word} of {about}.\n\n    More."""\n')
        (root / f"part{module}.py").write_text("\n".join(functions), encoding="utf-8")


@pytest.fixture
def libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Library]:
    monkeypatch.setenv("TRIADAPT_CACHE", str(tmp_path / "cache"))
    for name in ("alpha", "beta"):
        _write_package(tmp_path / name, 12, name)
    return [Library(name, tmp_path / name, "1.0") for name in ("alpha", "beta")]


def _source(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "source.py"
    file.write_text(text, encoding="utf-8")
    return file


def test_library_names_are_masked_in_names_and_summaries(tmp_path: Path) -> None:
    file = _source(
        tmp_path,
        'def to_numpy():\n    """Convert a PyTorch tensor, or pd.Series, to a NumPy array.\n\n    Uses torch."""\n',
    )
    assert read_docstrings(file) == [
        Docstring("to_library", "Convert a library tensor, or library.Series, to a library array.")
    ]


@pytest.mark.parametrize("text", ["the first of all", "pandastic np", "a contorch"])
def test_words_that_only_contain_a_library_name_are_left_alone(text: str) -> None:
    assert mask_libraries(text) == text


def test_only_first_paragraphs_of_six_to_sixty_words_are_kept(tmp_path: Path) -> None:
    file = _source(
        tmp_path,
        'def short():\n    """Too few words."""\n\n'
        f'def long():\n    """{"word " * 61}"""\n\n'
        'def __dunder__():\n    """Six words that nobody ever asked for."""\n\n'
        'class Kept:\n    """Exactly six words are just enough."""\n\n'
        '    def _method(self):\n        """See :class:`~a.Kept` for what `this`\n        line goes on to say.\n\n'
        '        Not this."""\n',
    )
    assert read_docstrings(file) == [
        Docstring("Kept", "Exactly six words are just enough."),
        Docstring("method", "See a.Kept for what this line goes on to say."),
    ]


@pytest.mark.parametrize(
    "content", [b'def f(:\n  """x"""', b'"""\0"""', b'# coding: nonsense\n"""x"""', b"\xff'''\xff"]
)
def test_a_source_that_cannot_be_parsed_is_passed_over(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.py").write_bytes(content)
    assert read_docstrings(tmp_path / "broken.py") == []


def test_summaries_that_differ_in_numbers_identifiers_or_their_own_name_only_are_near_duplicates() -> None:
    first = Docstring("width", "Set the width of line 3 given by max_size or 'left' in base.Thing now.")
    second = Docstring("height", "Set the height of line 12 given by min_gap or 'right' in other.Part now.")
    third = Docstring("height", "Reset the height of line 12 given by min_gap or 'right' in other.Part now.")
    assert near_duplicate_key(first) == near_duplicate_key(second) != near_duplicate_key(third)


def test_a_near_duplicate_in_a_second_library_is_dropped(tmp_path: Path) -> None:
    for name, number in (("alpha", 1), ("beta", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "part.py").write_text(
            f'def one():\n    """Shift the rows down by {number} places in order."""\n\n'
            f'def two():\n    """Write what {name} alone has to say."""\n\n'
            f'def three():\n    """Ask {name} a question that differs here."""\n',
            encoding="utf-8",
        )
    modules = harvest([Library(name, tmp_path / name, "1") for name in ("alpha", "beta")], 100)
    names = {library: {entry.name for entry in parts[0].docstrings} for library, parts in modules.items()}
    assert names == {"alpha": {"one", "two", "three"}, "beta": {"two", "three"}}


def test_no_module_is_in_both_training_and_held_out_rows(libraries: list[Library]) -> None:
    data = load_rows("pair", 120, 40, libraries=libraries)
    assert (len(data.train), len(data.dev)) == (120, 40)
    assert not {row.module for row in data.train} & {row.module for row in data.dev}


def test_a_negative_pair_takes_another_name_of_the_same_module_and_a_name_alone_tells_nothing(
    libraries: list[Library],
) -> None:
    data = load_rows("pair", 10_000, 1_000, libraries=libraries)
    own = {entry.summary: entry.name for library in libraries for file in library.root.iterdir()
           for entry in read_docstrings(file)}  # fmt: skip
    module_of = {row.summary: row.module for row in data.train + data.dev}
    home = {name: module_of[summary] for summary, name in own.items()}
    for row in data.train + data.dev:
        assert (own[row.summary] == row.name) == bool(row.label)
        assert home[row.name] == row.module
    assert set(Counter((row.name, row.label) for row in data.train).values()) == {1}
    positive, negative = ({row.name for row in data.train if row.label == label} for label in (1, 0))
    assert positive == negative


def test_library_rows_are_labelled_by_library(libraries: list[Library]) -> None:
    data = load_rows("library", 100, 30, libraries=libraries)
    assert data.classes == ("alpha", "beta")
    assert all(row.module.startswith(f"{data.classes[row.label]}/") and not row.name for row in data.train + data.dev)


def test_a_library_with_few_docstrings_is_made_up_for_by_the_others(libraries: list[Library], tmp_path: Path) -> None:
    _write_package(tmp_path / "tiny", 1, "tiny")
    modules = harvest([Library("tiny", tmp_path / "tiny", "1"), *libraries], 90)
    counts = {library: sum(len(module.docstrings) for module in parts) for library, parts in modules.items()}
    assert counts["tiny"] == 8 and sum(counts.values()) >= 90


def test_rows_are_the_same_whatever_the_hash_seed(libraries: list[Library]) -> None:
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from triadapt.tasks.text.docstrings import Library\nfrom triadapt.tasks.text.rows import load_rows\n"
        "libraries = [Library(Path(p).name, Path(p), '1.0') for p in sys.argv[1:]]\n"
        "print(load_rows('pair', 100, 30, libraries=libraries).sha256, 'torch' in sys.modules)\n"
    )
    roots = [str(library.root) for library in libraries]
    printed = set()
    for hash_seed in ("1", "2"):
        cache = str(libraries[0].root.parent / f"cache{hash_seed}")
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "TRIADAPT_CACHE": cache}
        done = subprocess.run(
            [sys.executable, "-c", script, *roots], env=environment, capture_output=True, text=True, check=True
        )
        printed.add(done.stdout.strip())
    assert printed == {f"{load_rows('pair', 100, 30, libraries=libraries).sha256} False"}


@pytest.mark.parametrize("damage", ["", "cut", "altered", "binary"])
def test_rows_are_read_back_from_the_cache_and_a_damaged_file_is_written_again(
    libraries: list[Library], monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    first = load_rows("pair", 100, 30, libraries=libraries)
    (file,) = cache_folder().iterdir()
    good = file.read_bytes()
    if damage:
        bad = {"cut": good[: len(good) // 2], "altered": good.replace(b"apple", b"grape", 1), "binary": b"\xff\x00"}
        file.write_bytes(bad[damage])
    else:
        monkeypatch.setattr(rows_module, "harvest", None)  # must not be called
    assert load_rows("pair", 100, 30, libraries=libraries) == first
    assert [entry.read_bytes() for entry in cache_folder().iterdir()] == [good]


def test_another_version_of_a_library_is_another_cache_entry(libraries: list[Library]) -> None:
    load_rows("pair", 100, 30, libraries=libraries)
    load_rows("pair", 100, 30, libraries=[libraries[0], Library("beta", libraries[1].root, "2.0")])
    assert len(list(cache_folder().iterdir())) == 2


def test_a_cache_folder_that_cannot_be_written_costs_only_time(
    libraries: list[Library], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    monkeypatch.setenv("TRIADAPT_CACHE", str(tmp_path / "file" / "cache"))
    assert len(load_rows("pair", 100, 30, libraries=libraries).train) == 100


def test_too_few_docstrings_are_refused_with_one_line(libraries: list[Library]) -> None:
    with pytest.raises(ConfigError, match=r"^text\.labels = 'pair': found 0 training .* too few; install"):
        load_rows("pair", 100, 30, libraries=[])


def test_libraries_are_found_without_running_their_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bomb").mkdir()
    (tmp_path / "bomb" / "__init__.py").write_text("raise SystemError('imported')", encoding="utf-8")
    (tmp_path / "bomb-2.5.dist-info").mkdir()
    (tmp_path / "bomb-2.5.dist-info" / "METADATA").write_text("Name: bomb\nVersion: 2.5\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    found, missing = find_libraries(("bomb", "no_such_library"))
    assert found == [Library("bomb", tmp_path / "bomb", "2.5")]
    assert missing == ["no_such_library"]
