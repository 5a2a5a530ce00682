"""Small Parquet files that are large tables: refused in a line before they are unpacked, and what is usual is read."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from triadapt.errors import ConfigError
from triadapt.tasks import parquet
from triadapt.tasks.causal.documents import documents
from triadapt.tasks.causal.settings import Settings
from triadapt.tasks.files.reading import read_table


def written(folder: Path, columns: dict[str, Any], **how: Any) -> str:
    path = folder / "rows.parquet"
    pq.write_table(pa.table(columns), path, compression="zstd", **how)
    return str(path)


def repeated(text: str, rows: int) -> pa.Array:
    """One text in every row, without the texts being made."""
    return pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([text]))


def refusal(name: str, rows: int | None = None) -> str:
    before = pa.total_allocated_bytes()
    with pytest.raises(ConfigError) as error:
        read_table("files.train", name, rows)
    assert pa.total_allocated_bytes() - before < 2**20
    (line,) = error.value.lines
    assert line.startswith("files.train: cannot be read (") and line.isprintable()
    return line


def test_one_long_text_in_every_row_is_refused(tmp_path: Path) -> None:
    name = written(tmp_path, {"text": repeated("a" * 200_000, 20_000), "label": [0, 1] * 10_000})
    assert Path(name).stat().st_size < 20_000
    assert "the first 2,000 rows have more than 64 MB unpacked; give fewer, or shorter cells" in refusal(name, 2000)
    assert "have more than 1024 MB unpacked" in refusal(name) and "have more than 1024 MB" in refusal(name, 100_000)
    assert len(read_table("files.train", name, 100)) == 100
    with pytest.raises(ConfigError, match="have more than 2048 MB unpacked"):
        next(documents(Settings(train=name, model="gpt2"), "train"))


def test_a_long_cell_is_refused(tmp_path: Path) -> None:
    line = refusal(written(tmp_path, {"text": ["b", "a" * 1_000_001, None]}))
    assert "column 'text': a cell of 1,000,001 bytes in the first 3 rows, the limit is 1,000,000; cut it" in line


def test_pages_and_groups_that_unpack_to_a_lot_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "MOST_OF_A_HEAD", 2**20)
    name = written(tmp_path, {"text": ["a" * 10_000] * 300}, use_dictionary=False)
    assert "times larger unpacked, the limit is 200; write it without compression" in refusal(name)
    monkeypatch.setattr(parquet, "MOST_TIMES", 10**9)
    assert len(read_table("files.train", name)) == 300
    monkeypatch.setattr(parquet, "LARGEST_GROUP", 2**20)
    assert "row group 0 has 2 MB unpacked, the limit is 1; write smaller ones" in refusal(name)


def test_what_is_usual_is_read_as_pandas_does(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "text": ["a", None, "c", "a"] * 100, "label": [0, 1, 2, 3] * 100, "score": [0.5, None, 1.5, 2.0] * 100,
            "yes": [True, False] * 200, "when": pd.date_range("2026-01-01", periods=400),
        },
        index=range(5, 405),
    )  # fmt: skip
    frame.to_parquet(tmp_path / "a.parquet", row_group_size=150)
    whole = pd.read_parquet(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(read_table("files.train", str(tmp_path / "a.parquet")), whole)
    head = read_table("files.train", str(tmp_path / "a.parquet"), 200)
    assert len(head) == 200 and list(head["text"][:4]) == list(whole["text"][:4])
    lists = written(
        tmp_path, {"text": ["a", "b"], "tokens": [["a"], ["b"]], "v": pa.array(["x", "y"]), "n": pa.nulls(2)}
    )
    assert list(read_table("files.train", lists).columns) == ["text", "v", "n"]
    with pytest.raises(ConfigError, match="holds list<element: string>, not text; name another column"):
        list(documents(Settings(train=lists, model="gpt2", text="tokens"), "train"))
