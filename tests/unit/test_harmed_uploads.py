"""Whatever is uploaded: it trains, or it is refused in lines, and nothing is left behind."""

import random
from pathlib import Path

import pandas as pd
import pytest
import streamlit as st
from harmed_tables import NASTY, harmed

from triadapt.config import data_problems, parse_config
from triadapt.errors import ConfigError
from triadapt.recipe import read_recipe
from triadapt.runs.uploads import FOLDER, LARGEST_MB, keep_files
from triadapt.tasks.files.reading import READERS, read_table
from triadapt.tasks.files.settings import Settings
from triadapt.tasks.files.table import labelled_text
from triadapt.tasks.labelled.look import guessed_columns, look
from triadapt.ui.own.data import shown
from triadapt.ui.own.kept import kept_once


@pytest.mark.filterwarnings("ignore::pandas.errors.ParserWarning")
def test_two_hundred_harmed_tables_are_read_or_refused_in_lines(tmp_path: Path) -> None:
    read = 0
    for number in range(200):
        path = harmed(number, tmp_path)
        try:
            kept = keep_files(tmp_path / "runs", [(path.name, path.read_bytes())], list(READERS), "files.train")
            columns = guessed_columns(read_table("files.train", str(kept), 100))
            values = {"train": str(kept), **columns}
            problems = data_problems(parse_config({"task": "files", "files": values}))
            assert all(line.startswith("files.") and line.isprintable() for line in problems), problems
            seen = look(labelled_text(Settings.model_validate(values)))
            assert all(line.isprintable() for line in seen.warnings())
            read += 1
        except ConfigError as error:
            assert all(line.startswith("files.") and line.isprintable() for line in error.lines), error.lines
    assert 20 < read < 180  # both happen
    assert {place.name for place in (tmp_path / "runs").iterdir()} == {FOLDER}
    assert not list((tmp_path / "runs" / FOLDER).glob(".new-*"))


def test_a_hundred_harmed_configurations_are_read_or_refused_in_lines() -> None:
    names = ["task", "method", "steps", "seed", "files", "hub", "qa", "text", "planted", "methods", "seeds", "for"]
    inner = ["train", "model", "adapt", "dataset", "subset", "weights", "kind", "metric", "max_tokens", "revision"]
    refused = 0
    for number in range(100):
        draw = random.Random(number)
        values = [*NASTY, "files", "hub", 3, -1, 2.5, True, None, [], [1], {}, 10**20, float("nan")]
        data: dict[str, object] = {"task": draw.choice(["files", "hub", "qa", "causal", "planted"])}
        for _ in range(draw.randrange(5)):
            value = draw.choice(values)
            data[draw.choice(names)] = value if draw.random() < 0.5 else {draw.choice(inner): value}
        try:
            parse_config(read_recipe(data).values_for("lora"))
        except ConfigError as error:
            refused += 1
            assert error.lines and all(line.isprintable() for line in error.lines), error.lines
    assert refused > 50


def refusal(*files: tuple[str, bytes], folder: Path) -> str:
    with pytest.raises(ConfigError) as error:
        keep_files(folder, files, [".csv"], "files.train")
    assert not folder.exists()
    return error.value.lines[0]


@pytest.mark.parametrize("name", ["../a.csv", "/etc/a.csv", "a/b.csv", ".a.csv", "a\n.csv", "x" * 200 + ".csv"])
def test_an_upload_is_kept_under_a_name_or_not_at_all(name: str, tmp_path: Path) -> None:
    assert "is no name for a file here" in refusal((name, b"x"), folder=tmp_path / "runs")


def test_uploads_of_another_kind_empty_or_too_large_are_one_line(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    assert "'a.pkl' cannot be read; give one of .csv" in refusal(("a.pkl", b"x"), folder=runs)
    assert "'a.csv' is empty" in refusal(("a.csv", b""), folder=runs)
    large = bytes(LARGEST_MB * 1024**2 + 1)
    assert f"the limit is {LARGEST_MB}; name its path instead" in refusal(("a.csv", large), folder=runs)
    many = [("a.csv", bytes(LARGEST_MB * 1024**2))] * 3  # one object
    assert "600 MB in 3 files, the limit is 400; name their path instead" in refusal(*many, folder=runs)
    many = [(f"{number}.csv", b"x") for number in range(21)]
    assert "21 files, the limit is 20; name the path of their folder instead" in refusal(*many, folder=runs)
    assert "two files have the same name" in refusal(("a.csv", b"x"), ("a.csv", b"y"), folder=runs)
    assert refusal(folder=runs) == "files.train: no file; choose one"


def test_the_same_upload_is_kept_once(tmp_path: Path) -> None:
    one = keep_files(tmp_path, [("a.csv", b"x")], [".csv"], "files.train")
    assert one.read_bytes() == b"x" and keep_files(tmp_path, [("a.csv", b"x")], [".csv"], "files.train") == one
    both = keep_files(tmp_path, [("train.csv", b"x"), ("dev.csv", b"y")], [".csv"], "files.train")
    assert both.is_dir() and {file.name for file in both.iterdir()} == {"train.csv", "dev.csv"}
    assert len(list((tmp_path / FOLDER).iterdir())) == 2


def test_a_folder_that_cannot_be_written_to_is_one_line(tmp_path: Path) -> None:
    for name, made in (("runs", tmp_path / "runs"), ("more", tmp_path / "more" / FOLDER)):
        made.parent.mkdir(exist_ok=True)
        made.write_text("a file in the way")
        with pytest.raises(ConfigError) as error:
            keep_files(tmp_path / name, [("a.csv", b"x")], [".csv"], "files.train")
        assert error.value.lines[0].startswith(f"files.train: cannot be kept in {tmp_path / name / FOLDER} (")


def test_an_upload_is_read_once_however_often_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Sent:
        file_id, name, read = "1", "a.csv", 0

        def getvalue(self) -> bytes:
            self.read += 1
            return b"x"

    monkeypatch.setattr(st, "session_state", {})
    sent = Sent()
    first = [kept_once(tmp_path, [sent], [".csv"], "files.train") for _ in range(3)]
    assert len(set(first)) == 1 and sent.read == 1
    first[0].unlink()
    first[0].parent.rmdir()
    assert kept_once(tmp_path, [sent], [".csv"], "files.train").exists() and sent.read == 2


def test_long_cells_are_cut_for_the_browser() -> None:
    cells = {"text": ["a" * 10_000, None, "b"], "label": [1, 2, 3], "all": [["a" * 1000], [1], {}]}
    rows = shown(pd.DataFrame(cells))
    assert len(rows["all"][0]) == 303 and rows["all"][1] == [1]
    assert rows["text"][0] == "a" * 300 + "..." and rows["text"][2] == "b" and list(rows["label"]) == [1, 2, 3]
