"""`triadapt compare`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from compare_runs import config, store

from triadapt import cli

GROWING = [[1, 1, 1, 1], [2, 1, 1, 1], [3, 1, 1, 1]]


def test_compare_prints_differences_and_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ids = [store(tmp_path, config(seed=seed), GROWING) for seed in (1, 2)]
    options = ["--runs", str(tmp_path)]
    assert cli.main(["compare", *ids, *options]) == 0
    text = capsys.readouterr().out
    assert "TriAdaptLoRA seed 2" in text and 'the same in all: task = "planted"' in text
    assert "seeds of TriAdaptLoRA" in text and "metric: recovered, higher is better" in text
    assert cli.main(["compare", *ids, "--json", *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["differences"] == {"seed": {ids[0]: 1, ids[1]: 2}}
    assert [run["total_rank"] for run in found["runs"]] == [6, 6] and found["agreement"] == [[1, 1], [1, 1]]


def test_what_cannot_be_compared_is_said_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("nope", "20260101-000000-abcd"):
        assert cli.main(["compare", name, "--runs", str(tmp_path)]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
