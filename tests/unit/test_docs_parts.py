"""Pages that are made from the code say all that the code has. Without mkdocs."""

import argparse
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import triadapt
from triadapt.cli import parser
from triadapt.config import RunConfig
from triadapt.methods.registry import METHODS
from triadapt.tasks.registry import TASKS

MAKING = Path(triadapt.__file__).parents[1] / "docs" / "making"


@pytest.fixture
def making(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """The modules that make parts of pages, as the hook of mkdocs finds them: beside itself."""
    monkeypatch.syspath_prepend(str(MAKING))
    yield {name: import_module(name) for name in ("command_line", "configuration", "repository_links")}


def test_every_command_and_option_is_on_the_page(making: dict[str, ModuleType]) -> None:
    text = making["command_line"].command_line()
    commands = next(action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    for name, command in commands.choices.items():
        assert f"## {name}\n" in text
        section = text.partition(f"## {name}\n")[2].partition("\n## ")[0]
        for action in command._actions:
            hidden = action.help == argparse.SUPPRESS or action.dest == "help"
            for option in action.option_strings:
                assert (f"`{option}" in section) != hidden, option


def test_every_field_of_a_run_and_of_each_section_is_on_the_page(making: dict[str, ModuleType]) -> None:
    text = making["configuration"].run_fields()
    sections = {**METHODS, **TASKS}
    names = [name for name in RunConfig.model_fields if name not in sections and name != "elsewhere"]
    names += [f"{name}.{field}" for name, spec in sections.items() for field in spec.settings_class().model_fields]
    assert [name for name in names if f"| `{name}` |" not in text] == []


def test_a_field_tells_its_default_its_bounds_and_its_meaning(making: dict[str, ModuleType]) -> None:
    assert (
        "| `reference_rank` | `2` | whole number, at least 1, at most 256 | Budget: average rank a matrix at the end. |"
        in making["configuration"].run_fields()
    )


def test_links_of_the_repository_become_links_of_the_site_or_words(
    making: dict[str, ModuleType], tmp_path: Path
) -> None:
    docs = tmp_path / "docs"
    for file in ("README.md", "NEWS.md", "LICENSE", "docs/a.md", "docs/deep/b.md", "results/numbers.jsonl"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()

    def mended(markdown: str, source: Path) -> str:
        return making["repository_links"].in_the_site(markdown, source, tmp_path, {tmp_path / "NEWS.md": "news.md"})

    assert mended("[a](docs/a.md#one)", tmp_path / "NEWS.md") == "[a](a.md#one)"
    assert mended("[news](../../NEWS.md)", docs / "deep" / "b.md") == "[news](../news.md)"
    assert mended("[a](../a.md)", docs / "deep" / "b.md") == "[a](../a.md)"
    assert mended("[all](../results/numbers.jsonl)", docs / "a.md") == "all (`results/numbers.jsonl`)"
    assert mended("[results/numbers.jsonl](../results/numbers.jsonl)", docs / "a.md") == "`results/numbers.jsonl`"
    assert mended("[docs/deep](deep)", docs / "a.md") == "`docs/deep`"
    for as_it_is in ("[gone](gone.md)", "[out](https://arxiv.org/abs/2501.08008)", "[here](#one)", "![x](a.png)"):
        assert mended(as_it_is, docs / "a.md") == as_it_is
