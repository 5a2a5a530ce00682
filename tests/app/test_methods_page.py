"""The methods page as Streamlit runs it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from drawn import words
from stand_in import Manager, errors
from streamlit.testing.v1 import AppTest

from triadapt.methods.registry import METHODS
from triadapt.views.methods.recorded import recorded_kinds

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from compare_runs import config, store

PAGE = "pages/methods.py"
GROWING = [[1, 1, 1, 1], [2, 1, 1, 1], [2, 2, 1, 1]]
Visit = Callable[..., AppTest]


def asked(app: AppTest, name: str) -> str:
    """What the address says under a name."""
    found = app.query_params.get(name, "")
    return found if isinstance(found, str) else found[0]


def said(app: AppTest) -> str:
    return "\n".join(words(element) for kind in ("caption", "info", "markdown") for element in getattr(app, kind))


@pytest.fixture
def raced(manager: Manager) -> None:
    """Two methods, two seeds each, over one task, and a lone run over another."""
    for seed in (1, 2):
        store(manager.runs, config(seed=seed), GROWING)
        store(manager.runs, config("lora", seed=seed), [[2, 2, 2, 2]])
    store(manager.runs, config(planted={"width": 32}), GROWING)


def test_an_empty_folder_shows_a_recorded_study(visit: Visit) -> None:
    app = visit(PAGE)
    assert not errors(app)
    assert app.selectbox(key="methods_kind").value == recorded_kinds()[0].key
    assert "On the front: " in said(app) and recorded_kinds()[0].command in said(app)
    (table,) = app.dataframe
    assert "Standing" in table.value and any("LoRA" in name for name in table.value.columns)


@pytest.mark.usefixtures("raced")
def test_own_runs_come_first_and_seeds_are_one_row(visit: Visit) -> None:
    app = visit(PAGE)
    assert any("2 methods, 4 runs" in option for option in app.selectbox(key="methods_kind").options)
    table = app.dataframe[0].value
    assert sorted(table["Method"]) == ["LoRA", "TriAdaptLoRA"] and list(table["Seeds"]) == [2, 2]
    assert sorted(table["Parameters"]) == [60, 80]
    assert asked(app, "kind") == app.selectbox(key="methods_kind").value


@pytest.mark.usefixtures("raced")
def test_what_older_runs_did_not_record_is_said(visit: Visit) -> None:
    app = visit(PAGE, against="memory")
    assert "The memory of these runs is not recorded" in said(app) and not errors(app)
    assert list(app.dataframe[0].value["Standing"]) == ["price not recorded"] * 2


@pytest.mark.parametrize("price", ["memory", "time"])
def test_the_address_names_what_is_drawn_and_the_choice_is_written_back(visit: Visit, price: str) -> None:
    app = visit(PAGE, against=price)
    control: Any = app.get("button_group")[0]
    assert control.value == price
    assert asked(app, "against") == price and not errors(app)
    control.set_value("parameters").run()
    assert "against" not in app.query_params and not app.exception


@pytest.mark.usefixtures("raced")
@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("kind", "kind in the address: there is no 'nonsense'; there are planted"),
        ("against", "against in the address: there is no 'nonsense'; there are parameters, memory, time"),
        ("card", "card in the address: there is no 'nonsense'; there are triadaptlora, increlora"),
    ],
)
def test_a_wrong_value_in_the_address_is_one_line_and_breaks_nothing(visit: Visit, name: str, line: str) -> None:
    app = visit(PAGE, **{name: "nonsense"})
    (error,) = app.error
    assert words(error).startswith(line) and "\n" not in words(error)
    assert app.dataframe and asked(app, name) != "nonsense"
    if name == "kind":
        app.selectbox(key="methods_kind").set_value(recorded_kinds()[0].key).run()
        assert not errors(app)


def test_without_a_card_all_methods_stand_in_a_table_with_sizes_for_what_is_chosen(visit: Visit) -> None:
    app = visit(PAGE, tab="cards")
    table = app.dataframe[0].value
    assert list(table["Method"]) == [spec.label for spec in METHODS.values()]
    lora = table.set_index("Method")["Parameters"]["LoRA"]
    app.slider(key="methods_rank").set_value(16).run()
    assert app.dataframe[0].value.set_index("Method")["Parameters"]["LoRA"] == 2 * lora


@pytest.mark.parametrize("name", METHODS)
def test_a_card_tells_all_of_its_method(visit: Visit, name: str) -> None:
    app = visit(PAGE, card=name)
    card = METHODS[name].method_card()
    for text in (card.adapts, card.fixed, card.choose, card.avoid, *card.notes):
        assert text in said(app)
    assert [code.value for code in app.code] == [card.formula, card.parameters]
    assert asked(app, "card") == name and not errors(app)
    (link,) = app.get("page_link")
    assert ("method=lora" in link.proto.query_string) and f"method={name}" in link.proto.query_string
