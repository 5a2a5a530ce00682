"""The page of one's own work: a model and a table looked at, what is wrong said in a line, and the way to Play."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from stand_in import Manager
from streamlit.testing.v1 import AppTest

from triadapt.runs.uploads import FOLDER

PAGE = "pages/own.py"


def table(folder: Path, name: str = "rows.csv", rows: int = 200) -> Path:
    lines = ["id,review,verdict", *(f"{i},film number {i},{('good', 'bad')[i % 2]}" for i in range(rows))]
    path = folder / name
    path.write_text("\n".join([*lines, "7,film number 7,good"]), encoding="utf-8")
    return path


def model(folder: Path) -> Path:
    """What the heads of files say of a model of two blocks; its weights are all zero."""
    folder.mkdir()
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 8, "vocab_size": 10}
    (folder / "config.json").write_text(json.dumps(config))
    names = [f"model.layers.{i}.self_attn.{part}_proj.weight" for i in (0, 1) for part in ("q", "v")]
    head = {
        name: {"dtype": "F32", "shape": [8, 8], "data_offsets": [256 * at, 256 * at + 256]}
        for at, name in enumerate(names)
    }
    text = json.dumps(head).encode()
    content = len(text).to_bytes(8, "little") + text + bytes(256 * len(names))
    (folder / "model.safetensors").write_bytes(content)
    return folder


def said(app: AppTest) -> str:
    return "\n".join(element.value for kind in (app.caption, app.warning, app.error, app.info) for element in kind)


def test_a_table_is_looked_at_and_taken_to_play(visit: Callable[..., AppTest], tmp_path: Path) -> None:
    app = visit(PAGE)
    assert "Upload a table, or name one." in said(app)
    app.text_input(key="own_path").set_value(str(table(tmp_path))).run()
    assert not app.exception
    boxes = {box.label: box.value for box in app.selectbox}
    assert (boxes["Text"], boxes["Second text"], boxes["Label"]) == ("review", "(none)", "verdict")
    assert "training rows," in said(app) and "GiB for one method" in said(app)
    assert "1 text with different labels" in said(app) or "1 training row whose text stands there before" in said(app)
    next(button for button in app.button if button.label == "Take it to Play").click()
    app.run()
    assert not app.exception and app.selectbox(key="task").value == "files"
    assert "Your settings are at the left; Run starts them." in said(app)
    assert app.text_input(key="files.text").value == "review" and app.text_input(key="files.label").value == "verdict"


def test_what_is_wrong_with_a_table_is_a_line_and_there_is_no_way_to_play(
    visit: Callable[..., AppTest], tmp_path: Path, manager: Manager
) -> None:
    app = visit(PAGE)
    (tmp_path / "one.csv").write_text("text,label\n" + "".join(f"film {i},b\n" for i in range(200)))
    for path, line in (
        (tmp_path / "none.csv", "no such file"),
        (tmp_path / "rows.pkl", "no such file"),
        (tmp_path / "one.csv", "two classes are needed"),
        (tmp_path, "it needs one file called train"),
    ):
        app.text_input(key="own_path").set_value(str(path)).run()
        assert not app.exception and line in said(app), path
        assert not [button for button in app.button if button.label == "Take it to Play"]
    app.text_input(key="own_path").set_value(str(table(tmp_path))).run()
    app.segmented_control(key="own_kind-files").set_value("regression").run()
    assert "not numbers" in said(app)


def test_a_model_is_looked_at_and_its_matrices_are_chosen(visit: Callable[..., AppTest], tmp_path: Path) -> None:
    app = visit(PAGE)
    app.text_input(key="own_path").set_value(str(table(tmp_path)))
    app.text_input(key="own_model").set_value(str(model(tmp_path / "model"))).run()
    assert "llama, decoder" in said(app) and "2 blocks of width 8" in said(app)
    assert "Adapted: 4 of 4 matrices" in said(app)
    app.text_input(key="own_adapt").set_value("1.q").run()
    assert "Adapted: 1 of 4 matrices" in said(app)
    app.text_input(key="own_adapt").set_value("w").run()
    assert "no place is called w" in said(app)
    for name, line in (
        (str(tmp_path / "nowhere"), "no such folder"),
        (str(tmp_path), "holds no .safetensors"),
        ("/etc", "holds no .safetensors"),
        ("a b c", "no such folder; give minilm"),
    ):
        app.text_input(key="own_model").set_value(name).run()
        assert not app.exception and line in said(app), name


@pytest.mark.parametrize("where", ["GLUE", "Hub dataset", "Questions", "Plain text"])
def test_each_kind_of_data_says_what_is_to_be_done(where: str, visit: Callable[..., AppTest], tmp_path: Path) -> None:
    app = visit(PAGE)
    app.segmented_control(key="own_where").set_value(where).run()
    assert not app.exception and app.info
    if where == "GLUE":
        app.pills(key="own_glue").set_value("RTE").run()
        assert "subset rte" in said(app) and any(button.label == "Take it to Play" for button in app.button)
    if where == "Plain text":
        (tmp_path / "notes.txt").write_text("Some words.\n" * 50)
        app.text_input(key="own_path-causal").set_value(str(tmp_path / "notes.txt")).run()
        assert "Plain text needs a decoder" in said(app)
    if where == "Questions":
        (tmp_path / "train.json").write_text("[]")
        app.text_input(key="own_path-qa").set_value(str(tmp_path / "train.json")).run()
        assert "qa.train" in said(app) and not app.exception
    assert not (tmp_path / "runs" / FOLDER).exists()
