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
    assert "TriAdaptLoRA seed 2" in text and "the same in all: task = Planted ranks" in text
    assert "seeds of TriAdaptLoRA" in text and "metric: recovered, higher is better" in text
    assert cli.main(["compare", *ids, "--json", *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["differences"] == {"seed": {ids[0]: 1, ids[1]: 2}}
    assert [run["total_rank"] for run in found["runs"]] == [6, 6] and found["agreement"] == {
        "runs": ids,
        "rho": [[1, 1], [1, 1]],
    }


def test_a_recorded_race_and_one_of_its_runs_are_named_as_on_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = store(tmp_path, config(), GROWING)
    assert cli.main(["compare", "healthy-race", stored, "--json", "--runs", str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [run["state"] for run in found["runs"]].count("recorded") == 4 and len(found["runs"]) == 5
    assert cli.main(["compare", "healthy-race.lora", stored, "--json", "--runs", str(tmp_path)]) == 0
    assert len(json.loads(capsys.readouterr().out)["runs"]) == 2


def test_runs_are_compared_at_an_equal_step_budget_or_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ids = [store(tmp_path, config(), GROWING), store(tmp_path, config("lora"), [[2, 2, 2, 2]])]
    totals = {}
    for at in ("step=5", "step=15", "budget=5", "time=5"):
        assert cli.main(["compare", *ids, "--at", at, "--json", "--runs", str(tmp_path)]) == 0
        found = json.loads(capsys.readouterr().out)
        totals[at] = [run["total_rank"] for run in found["runs"]]
    assert totals == {"step=5": [4, 8], "step=15": [5, 8], "budget=5": [5, None], "time=5": [5, 8]}
    assert cli.main(["compare", *ids, "--at", "budget=5", "--runs", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "in numbers, at total rank 5" in text and "note: never there: LoRA" in text


def test_a_run_without_a_rank_of_its_own_has_none_in_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    measured = [[0, 0, 0, 0], [5, 7, 6, 8], [9, 7, 6, 8]]
    ids = [store(tmp_path, config(), GROWING), store(tmp_path, config("surm"), measured)]
    assert cli.main(["compare", *ids, "--json", "--runs", str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)
    surm = found["runs"][1]
    assert (surm["total_rank"], surm["rank_events"], surm["coverage"], surm["precision"]) == (None, 0, None, None)
    assert found["agreement"]["rho"] == [[1, None], [None, None]] and found["pairs"] == []
    assert cli.main(["compare", *ids, "--at", "budget=5", "--runs", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "note: never there: SURM" in text and "note: No rank of its own: SURM." in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nope"], "recorded races are adalora-never-allocates, healthy-race, warmup-too-long"),
        (["20260101-000000-abcd"], "`triadapt runs` lists them, recorded races are"),
        (["healthy-race.nope"], "it has healthy-race.triadaptlora, healthy-race.increlora"),
        (["healthy-race", "--at", "step=1.5"], "at = 'step=1.5': write step=N or budget=N with a whole number"),
        (["healthy-race", "--at", "noon"], "at = 'noon': write step=N"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["compare", *arguments, "--runs", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
