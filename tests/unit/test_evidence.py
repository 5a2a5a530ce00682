"""The evidence benchmark: its statistics, its plan, and that a plan that was cut off goes on."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.evidence import put
from benchmarks.evidence_plan import GRIDS, Planned, plan
from benchmarks.evidence_runs import Result, execute, expected_minutes, load
from benchmarks.evidence_stats import auc, interval, t_quantile
from benchmarks.evidence_tables import TABLES, Runs


def made_up(item: Planned) -> Result:
    """A result that no training was needed for."""
    if item.study == "separation":
        return {"first": {"||dW||": 0.75}, "half": {"||dW||": 0.9}, "own": [0.2, 0.1, 0.05]}
    shares = {"coverage": 0.5, "precision": 0.25, "chance": 0.25, "even": 0.25}
    return {"metric": "relative loss", "value": 0.1 * item.config.seed, "total_rank": 48, "parameters": 7168, **shares}


def test_the_interval_is_that_of_students_t() -> None:
    mean, low, high = interval([1.0, 2.0, 4.0])
    assert mean == pytest.approx(7 / 3)
    assert (high - mean) == pytest.approx(mean - low) == pytest.approx(4.303 * np.std([1, 2, 4], ddof=1) / 3**0.5)
    assert np.isnan(interval([1.0])[1:]).all()
    with pytest.raises(ValueError, match="no values"):
        interval([])


@pytest.mark.parametrize(("degrees", "expected"), [(2, 4.303), (9, 2.262), (11, 2.201), (20, 2.086), (60, 2.000)])
def test_quantiles_match_the_printed_tables(degrees: int, expected: float) -> None:
    assert t_quantile(degrees) == pytest.approx(expected, abs=1e-3)


def test_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    scores, planted = [0.1, 0.4, 0.4, 0.8], [False, True, False, True]
    assert auc(scores, planted) == (1 + 0.5 + 1 + 1) / 4
    assert auc([1, 1, 1, 1], planted) == 0.5
    assert auc([-value for value in scores], planted) == 1 - auc(scores, planted)
    with pytest.raises(ValueError, match="both kinds"):
        auc(scores, [True] * 4)


@pytest.mark.parametrize("part", GRIDS)
def test_every_run_of_a_part_has_a_key_of_its_own(part: str) -> None:
    planned = plan((part,))
    assert len({item.key for item in planned}) == len(planned) > 0


def test_the_key_forgets_how_a_run_is_done_and_keeps_what_it_is() -> None:
    one, *others = plan(("base",), seeds=1)
    threads = Planned(one.part, one.setting, one.variant, one.config.model_copy(update={"threads": 2}))
    assert threads.key == one.key
    assert one.key not in {item.key for item in others}


def test_a_plan_cut_off_in_the_middle_of_a_line_goes_on_and_repeats_nothing(tmp_path: Path) -> None:
    planned, path = plan(("base",), seeds=2), tmp_path / "results" / "evidence.jsonl"
    asked: list[str] = []

    def until_killed(item: Planned) -> Result:
        if len(asked) == 5:
            raise KeyboardInterrupt
        asked.append(item.key)
        return made_up(item)

    with pytest.raises(KeyboardInterrupt):
        execute(planned, path, until_killed, say=False)
    path.write_text(path.read_text(encoding="utf-8") + '{"key": "half a li', encoding="utf-8")
    assert set(load(path)) == set(asked)

    later: list[str] = []

    def run(item: Planned) -> Result:
        later.append(item.key)
        return made_up(item)

    done = execute(planned, path, run, say=False)
    assert [*asked, *later] == [item.key for item in planned]
    assert [json.loads(line)["key"] for line in path.read_text(encoding="utf-8").splitlines()] == list(done)
    assert expected_minutes(planned, done) == 0


@pytest.mark.parametrize("part", GRIDS)
def test_tables_of_an_unfinished_plan_show_what_is_there(part: str) -> None:
    planned = plan((part,), seeds=2)
    half = {item.key: made_up(item) for item in planned[: len(planned) // 2 + 1]}
    for done in ({}, half):
        for table in TABLES[part](Runs(planned, done)):
            assert all(len(row) == len(table.columns) for row in table.rows)
            table.markdown()


def test_no_two_runs_of_a_part_fall_into_one_cell() -> None:
    for part in GRIDS:
        planned = plan((part,), seeds=2)
        found = Runs(planned, {item.key: made_up(item) for item in planned}).of
        assert sum(map(len, found.values())) == len(planned)


def test_tables_go_between_their_marks(tmp_path: Path) -> None:
    document = tmp_path / "evidence.md"
    document.write_text("a\n<!-- x -->\nold\n<!-- end of x -->\nb\n", encoding="utf-8")
    put(document, "x", "new")
    assert document.read_text(encoding="utf-8") == "a\n<!-- x -->\n\nnew\n\n<!-- end of x -->\nb\n"
    with pytest.raises(RuntimeError, match="no lines"):
        put(document, "y", "new")
