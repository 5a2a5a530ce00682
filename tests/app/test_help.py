"""Every control of every page says in a sentence what it does."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from stand_in import Manager
from streamlit.testing.v1 import AppTest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from compare_runs import config, store

ROOT = Path(__file__).parent.parent.parent
CONTROLS = {
    "button", "checkbox", "download_button", "file_uploader", "form_submit_button", "link_button", "multiselect",
    "number_input", "page_link", "pills", "popover", "radio", "segmented_control", "select_slider", "selectbox",
    "slider", "text_area", "text_input", "toggle",
}  # fmt: skip
# A fix says what it does in its label: "Set warm-up to 60".
NAMED_BY_THEMSELVES = ("fix-",)


def controls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CONTROLS:
            yield node


@pytest.mark.parametrize("path", sorted([*ROOT.joinpath("triadapt", "ui").rglob("*.py"), *ROOT.glob("pages/*.py")]),
                         ids=lambda path: str(path.relative_to(ROOT)))  # fmt: skip
def test_whoever_draws_a_control_gives_it_help(path: Path) -> None:
    for call in controls(path):
        given = {word.arg: word.value for word in call.keywords}
        if None in given or any(one in ast.unparse(given.get("key", call)) for one in NAMED_BY_THEMSELVES):
            continue
        assert "help" in given, f"line {call.lineno}: {ast.unparse(call)[:100]}"


def drawn(app: AppTest) -> Iterator[Any]:
    """The elements of a page that are controls, as the browser is told of them."""
    for kind in sorted(CONTROLS | {"button_group"}):
        yield from app.get(kind)


def said(control: Any) -> str:
    proto = control.proto
    return str(proto.popover.help if control.type == "popover" else proto.help)


@pytest.mark.parametrize(
    ("page", "address"),
    [
        ("", {}), ("", {"task": "files"}), ("", {"task": "hub"}), ("pages/learn.py", {}), ("pages/runs.py", {}),
        ("pages/compare.py", {}), ("pages/tune.py", {}), ("pages/tune.py", {"tab": "What if"}),
        ("pages/tune.py", {"tab": "Studies"}), ("pages/own.py", {}), ("pages/methods.py", {}),
        ("pages/methods.py", {"tab": "cards"}), ("pages/methods.py", {"card": "lora"}),
    ],
)  # fmt: skip
def test_every_control_on_view_says_what_it_does(
    page: str, address: dict[str, str], visit: Callable[..., AppTest], manager: Manager
) -> None:
    store(manager.runs, config("triadaptlora"), [[1, 1, 1, 1], [2, 1, 1, 1]])
    app = visit(page, **address)
    if page == "pages/runs.py":
        app.session_state["chosen_run"] = app.dataframe[0].value["Id"][0]
        app.run()
    found = list(drawn(app))
    assert found or page in ("pages/learn.py",)
    for control in found:
        words, label = said(control), str(getattr(control.proto, "label", ""))
        assert words, f"{control.type} {label!r}"
        assert words.lower().strip(" .") != label.lower(), f"{label!r} says its name again"
