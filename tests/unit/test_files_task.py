"""A table of the user's own becomes a task, or one line says why not."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from tiny_text import WORDS, write_tiny_encoder

from triadapt import cli
from triadapt.config import ConfigError, parse_config
from triadapt.tasks.files import table as table_module
from triadapt.tasks.files.settings import Settings
from triadapt.tasks.files.table import GLANCE, glance, labelled_text
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
    assert "every one of the training rows has the label 'same'" in refusal(train=good, label="one")
    few = write(rows(9), tmp_path / "few.csv")
    assert "at least 16 are needed" in refusal(train=few, dev=good)
    strange = write(rows(20).replace("tool", "gadget"), tmp_path / "strange.csv")
    assert "label 'gadget' is in no training row" in refusal(train=good, dev=strange)
    (tmp_path / "broken.parquet").write_bytes(b"not parquet")
    assert "cannot be read" in refusal(train=str(tmp_path / "broken.parquet"))


def dev_of(tmp_path: Path, labels: list[Any], count: int = 20) -> str:
    table = rows(count)
    table["label"] = pd.Series([labels[i % len(labels)] for i in range(count)], dtype=object)
    return write(table, tmp_path / "dev.jsonl")


def test_labels_of_both_sides_are_classes_whatever_kind_of_value_they_are(tmp_path: Path) -> None:
    numbered = rows(200)
    numbered["label"] = [i % 2 for i in range(200)]
    train = write(numbered, tmp_path / "train.csv")
    for labels in ([0, 1], ["0", "1"], [0.0, 1.0], [0, "1"]):
        found = labelled_text(Settings(train=train, dev=dev_of(tmp_path, labels)))
        assert found.classes == ("0", "1") and found.dev.labels[:4] == [0, 1, 0, 1]
    assert "holds numbers such as 0.5, not classes" in refusal(train=train, dev=dev_of(tmp_path, [0, 1, 0.5]))
    assert "files.label = 'label': holds a list ([0]), not classes" in refusal(
        train=train, dev=dev_of(tmp_path, [0, 1, [0]])
    )
    infinite = numbered.assign(label=[float(i % 2) if i else float("inf") for i in range(200)])
    for kind in (".csv", ".parquet"):
        assert "holds numbers such as inf, not classes" in refusal(train=write(infinite, tmp_path / f"inf{kind}"))
    dated = numbered.assign(label=pd.to_datetime(["2026-01-01", "2026-01-02"] * 100))
    assert "holds a Timestamp (2026-01-01" in refusal(train=write(dated, tmp_path / "dated.parquet"))
    # One class in two spellings of one number is one class.
    mixed = numbered.astype({"label": object})
    mixed["label"] = [1, "1"] * 100
    assert "has the label '1'; two classes" in refusal(train=write(mixed, tmp_path / "mixed.jsonl"))


def test_texts_of_digits_and_columns_called_like_dates_stay_as_they_are(tmp_path: Path) -> None:
    table = rows(200).rename(columns={"label": "date"})
    table["text"] = [f"{i:03d}" for i in range(200)]
    found = labelled_text(Settings(train=write(table, tmp_path / "a.jsonl"), label="date"))
    assert {"000", "007"} & {*found.train.first, *found.dev.first} and found.classes == ("fruit", "tool")


def test_held_out_rows_are_of_the_same_part_of_the_file_as_the_training_rows(tmp_path: Path) -> None:
    late = rows(300)
    late.loc[200:, "label"] = "late"
    train = write(late, tmp_path / "rows.csv")
    found = labelled_text(Settings(train=train, train_rows=100))
    assert len(found.train.first) == 100 and found.classes == ("fruit", "tool")
    numbers = {side: [int(text.split()[2]) for text in getattr(found, side).first] for side in ("train", "dev")}
    assert max(numbers["dev"]) <= max(numbers["train"]) < 150 and len(numbers["dev"]) >= 8
    assert sorted(numbers["train"] + numbers["dev"]) == list(range(len(numbers["train"] + numbers["dev"])))
    few = labelled_text(Settings(train=train, train_rows=16))
    assert len(few.train.first) == 16 and len(few.dev.first) == 8
    # Sorted by class, and cut before the second.
    sorted_rows = rows(300).sort_values("label", kind="stable")
    line = refusal(train=write(sorted_rows, tmp_path / "sorted.csv"), train_rows=50)
    assert line.startswith("files.label = 'label': every one of the first 50 training rows has the label 'fruit'")


def test_a_class_of_which_every_row_is_held_out_is_said_to_be_one(tmp_path: Path) -> None:
    table = rows(200)
    held = labelled_text(Settings(train=write(table, tmp_path / "a.csv"))).dev.first
    for text in held:  # a row is held out by its hash, in which the label counts
        table.loc[table["text"] == text, "label"] = "rare"
        line = glance(Settings(train=write(table, tmp_path / "b.csv")))
        if line:
            break
        table = rows(200)
    (line,) = line
    assert line.startswith("files.train = ") and "all rows with the label 'rare' are among those held out" in line


BAD_FILES: dict[str, tuple[str, bytes, str]] = {
    "nothing": ("a.csv", b"", "is empty"),
    "a header alone": ("a.csv", b"text,label\n", "0 usable rows, at least 16 are needed"),
    "blank lines": ("a.jsonl", b"\n\n", "files.text = 'text': no such column"),
    "a line of JSON that is no table": ("a.jsonl", b"5\n6\n", "cannot be read (line 1: 5 is no row"),
    "half a line of JSON": ("a.jsonl", b'{"text": ', "cannot be read ("),
    "no UTF-8": ("a.csv", b"text,label\n\xff\xfe,1\n", "cannot be read ("),
    "texts that are empty": ("a.csv", b"text,label\n" + b",x\n" * 20, "0 usable rows"),
    "a list for a text": ("a.jsonl", b'{"text": ["a"], "label": 1}\n' * 20, "'text': holds list, not text"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "content", "expected"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_a_file_of_which_nothing_can_be_made_is_one_line_at_a_glance_and_in_full(
    name: str, content: bytes, expected: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    good = write(rows(40), tmp_path / "good.csv")
    for settings in (
        {"train": str(tmp_path / name), "dev": good}, {"train": good, "dev": str(tmp_path / name)}
    ):  # fmt: skip
        said = glance(Settings(**settings))
        with pytest.raises(ConfigError) as error:
            labelled_text(Settings(**settings))
        assert said == error.value.lines and all("\n" not in line for line in said)
        if "usable" not in expected or settings["dev"] == good:
            assert expected in said[0]


@pytest.mark.parametrize("name", ["a\0b.csv", "x" * 5000 + ".csv", "~nobody-of-this-name/a.csv", "/dev/null/a.csv"])
def test_a_name_that_no_file_can_have_is_one_line(name: str) -> None:
    (line,) = glance(Settings(train=name))
    assert line.startswith("files.train = ")
    assert refusal(train=name) == line


def test_a_glance_reads_the_start_of_a_large_file_and_all_of_a_small_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int | None] = []
    whole = table_module.read_table

    def counted(what: str, name: str, rows: int | None = None) -> pd.DataFrame:
        read.append(rows)
        return whole(what, name, rows)

    monkeypatch.setattr(table_module, "read_table", counted)
    for kind in (".csv", ".jsonl", ".parquet"):
        one_class = rows(3000).assign(label="same")
        large, small = (write(one_class[:n], tmp_path / f"rows-{n}{kind}") for n in (3000, 100))
        assert glance(Settings(train=large)) == [] and "two classes are needed" in glance(Settings(train=small))[0]
        assert set(read) == {GLANCE}
        assert "did you mean text?" in glance(Settings(train=large, text="txt"))[0]
    seen = len(read)
    glance(Settings(train=large))
    assert len(read) == seen  # nothing has changed
    write(rows(100), tmp_path / "rows-100.parquet")
    assert glance(Settings(train=small)) == []


def test_the_command_line_looks_at_the_files_before_a_run_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = write(rows(200), tmp_path / "rows.csv")
    (tmp_path / "study.toml").write_text(
        f"[base]\ntask = 'files'\nsteps = 50\n[space]\nwarmup = [5]\nfiles.train = ['{good}', '{tmp_path}/none.csv']\n"
    )
    runs = tmp_path / "runs"
    for arguments, expected in (
        (["train", "--task", "files", "--set", f"files.train={tmp_path}/none.csv"], "none.csv': no such file"),
        (["train", "--task", "files", "--set", f"files.train={good}", "--set", "files.text=txt"], "did you mean text?"),
        (["sweep", str(tmp_path / "study.toml")], "none.csv': no such file"),
    ):
        assert cli.main([*arguments, "--runs", str(runs)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("triadapt: files.") and expected in line and not runs.exists()


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
