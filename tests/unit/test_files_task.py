"""A table of the user's own becomes a task, or one line says why not."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from tiny_text import WORDS, write_tiny_encoder

from triadapt.config import ConfigError, parse_config
from triadapt.tasks.files.settings import Settings
from triadapt.tasks.files.table import labelled_text
from triadapt.tasks.registry import TASKS


def rows(count: int = 60, **columns: Any) -> pd.DataFrame:
    """Texts of two kinds of words, each of its own class."""
    texts = [f"{WORDS[i % 6 + 6 * (i % 2)]} {WORDS[i % 5 + 6 * (i % 2)]} {i}" for i in range(count)]
    return pd.DataFrame({"text": texts, "label": [("fruit", "tool")[i % 2] for i in range(count)], **columns})


def write(table: pd.DataFrame, path: Path) -> str:
    if path.suffix == ".jsonl":
        table.to_json(path, orient="records", lines=True)
    elif path.suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    return str(path)


def refusal(**settings: Any) -> str:
    with pytest.raises(ConfigError) as error:
        labelled_text(Settings(**settings))
    (line,) = error.value.lines
    return line


@pytest.mark.parametrize("kind", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_kind_of_file_gives_the_same_rows(kind: str, tmp_path: Path) -> None:
    csv = labelled_text(Settings(train=write(rows(200), tmp_path / "rows.csv")))
    other = labelled_text(Settings(train=write(rows(200), tmp_path / f"again{kind}")))
    assert (other.train, other.dev, other.classes, other.sha256) == (csv.train, csv.dev, csv.classes, csv.sha256)
    assert csv.classes == ("fruit", "tool")


def test_without_a_held_out_file_a_row_is_on_one_side_however_often_it_stands(tmp_path: Path) -> None:
    table = pd.concat([rows(300), rows(300)])
    found = labelled_text(Settings(train=write(table, tmp_path / "rows.csv")))
    assert not set(found.train.first) & set(found.dev.first)
    assert len(found.train.first) + len(found.dev.first) == 600 and 20 < len(found.dev.first) < 120
    assert found.facts["held_out_texts_seen_in_training"] == 0


def test_held_out_texts_that_also_train_are_counted(tmp_path: Path) -> None:
    found = labelled_text(Settings(train=write(rows(60), tmp_path / "a.csv"), dev=write(rows(20), tmp_path / "b.csv")))
    assert found.facts["held_out_texts_seen_in_training"] == 20


def test_rows_without_text_or_label_are_left_out_and_counted(tmp_path: Path) -> None:
    table = rows(60)
    table.loc[0, "text"], table.loc[1, "label"], table.loc[2, "text"] = None, None, "  "
    found = labelled_text(Settings(train=write(table, tmp_path / "a.jsonl"), dev=write(rows(20), tmp_path / "b.csv")))
    assert len(found.train.first) == 57 and found.facts["rows_left_out"] == {"train": 3, "dev": 0}


def test_pairs_and_numbered_classes(tmp_path: Path) -> None:
    table = rows(200, other=["x"] * 200, grade=[10 if i % 3 else 9 for i in range(200)])
    found = labelled_text(Settings(train=write(table, tmp_path / "a.csv"), text_pair="other", label="grade"))
    assert found.train.second is not None and set(found.train.second) == {"x"}
    assert found.classes == ("9", "10")


def test_what_is_wrong_with_a_file_is_one_line(tmp_path: Path) -> None:
    good = write(rows(200, score=[i / 7 for i in range(200)], one=["same"] * 200), tmp_path / "a.csv")
    assert refusal(train=str(tmp_path / "none.csv")).endswith("none.csv': no such file")
    assert refusal(train=good, text="txt").startswith("files.text = 'txt': no such column in files.train = ")
    assert "did you mean text? it has text, label, score, one" in refusal(train=good, text="txt")
    assert refusal(train=good, text="score") == ("files.text = 'score': holds float64, not text; name another column")
    assert "holds numbers such as 0" in refusal(train=good, label="score")
    assert "every training row has the label 'same'" in refusal(train=good, label="one")
    few = write(rows(9), tmp_path / "few.csv")
    assert "at least 16 are needed" in refusal(train=few, dev=good)
    strange = write(rows(20).replace("tool", "gadget"), tmp_path / "strange.csv")
    assert "label 'gadget' is in no training row" in refusal(train=good, dev=strange)
    (tmp_path / "broken.parquet").write_bytes(b"not parquet")
    assert "cannot be read" in refusal(train=str(tmp_path / "broken.parquet"))


def test_a_configuration_without_a_file_or_with_one_of_another_kind_is_refused_before_a_run_is_made() -> None:
    with pytest.raises(ConfigError, match=r"files\.train = '': name a file"):
        parse_config({"task": "files"})
    with pytest.raises(ConfigError, match=r"files\.dev = 'rows\.pkl': cannot be read as a table"):
        parse_config({"task": "files", "files": {"train": "rows.csv", "dev": "rows.pkl"}})


def test_the_task_trains_on_the_rows_and_describes_them(tmp_path: Path) -> None:
    write_tiny_encoder(tmp_path / "model")
    settings = Settings(train=write(rows(200), tmp_path / "rows.csv"), model=str(tmp_path / "model"), eval_rows=8)
    task = TASKS["files"].build_task(settings=settings, seed=1, batch_size=8, steps=6, device="cpu")
    model = task.build_model()
    before = task.evaluate(model.eval())
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.02)
    for step in range(6):
        optimizer.zero_grad()
        torch.autograd.backward(task.loss(model, task.batch(step)))
        optimizer.step()
    assert task.evaluate(model.eval())["loss"] < before["loss"]
    described = task.describe()
    assert described["files"] == {"train": "rows.csv", "dev": ""} and described["rows"]["evaluated"] == 8
    assert described["classes"] == ["fruit", "tool"] and len(described["data_sha256"]) == 64


def test_none_and_na_are_words_and_may_be_classes(tmp_path: Path) -> None:
    table = pd.DataFrame({"text": [f"row {i}" for i in range(60)], "label": ["None", "NA", "spam"] * 20})
    for name in ("a.csv", "a.tsv"):
        found = labelled_text(Settings(train=write(table, tmp_path / name)))
        assert sorted(found.classes) == ["NA", "None", "spam"]
