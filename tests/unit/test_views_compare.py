"""What a comparison makes of runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from compare_runs import config, record
from hypothesis import given
from hypothesis import strategies as st

from triadapt.runs.info import RunInfo
from triadapt.views.compare.agreement import agreement, churn, entropy, loss_change, pair_table, spearman
from triadapt.views.compare.configuration import agreed, differing, flat, group_key, group_labels, labels
from triadapt.views.compare.curves import Curve, curve, spread, trailing_mean
from triadapt.views.compare.pareto import front
from triadapt.views.compare.record import RunRecord, record_of, state_at
from triadapt.views.compare.table import cautions, difference_rows, kinds, side_by_side, summary_row

GROWING = [[1, 1, 1, 1], [2, 1, 1, 1], [2, 2, 1, 1], [2, 2, 2, 2]]
PRUNING = [[3, 3, 3, 3], [3, 3, 2, 2], [3, 3, 1, 1]]
ranks = st.lists(st.integers(0, 20), min_size=6, max_size=6)


def info(run_id: str, **values: object) -> RunInfo:
    made = config(**values)  # type: ignore[arg-type]
    return RunInfo(id=run_id, method=made.method, task=made.task, state="finished", config=made.as_dict())


def test_a_state_is_found_by_step_budget_time_and_end() -> None:
    run = record(GROWING)
    assert state_at(run, "end") == 3
    assert [state_at(run, "step", step) for step in (0, 8, 9, 18, 39)] == [0, 0, 1, 1, 3]
    assert [state_at(run, "time", seconds) for seconds in (0, 4.4, 4.5, 20.0)] == [0, 0, 1, 3]
    assert [state_at(run, "budget", total) for total in (4, 5, 6, 7, 8)] == [0, 1, 2, 3, 3]
    assert [state_at(run, moment, 99) for moment in ("step", "time", "budget")] == [None] * 3  # type: ignore[arg-type]
    assert [state_at(record(PRUNING), "budget", total) for total in (12, 11, 8, 7)] == [0, 1, 2, None]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=3), st.integers(0, 16))
def test_equal_budget_is_the_first_state_whose_total_reached_it(gains: list[int], budget: int) -> None:
    states = [[1, 1]]
    for gain in gains:
        states.append([states[-1][0] + gain, states[-1][1]])
    totals = [sum(state) for state in states]
    found = state_at(record(states), "budget", budget)
    reached = [i for i, total in enumerate(totals) if (total >= budget if totals[0] < budget else total <= budget)]
    assert found == (reached[0] if reached else None)


def test_a_run_that_has_not_started_has_no_record() -> None:
    assert record_of([]) is None


def test_a_record_cannot_be_changed_by_one_of_the_visitors_who_share_it() -> None:
    with pytest.raises(ValueError, match="read-only"):
        record(GROWING).ranks[0, 0] = 7


@given(ranks, ranks)
def test_spearman_is_symmetric_within_one_and_undefined_for_constant_ranks(first: list[int], second: list[int]) -> None:
    x, y = np.array(first), np.array(second)
    found = spearman(x, y)
    assert found == spearman(y, x)
    assert (found is None) == (len(set(first)) == 1 or len(set(second)) == 1)
    assert found is None or -1 <= found <= 1
    if len(set(first)) > 1:
        assert spearman(x, x) == pytest.approx(1) and spearman(x, -x) == pytest.approx(-1)
        assert spearman(x, 3 * x + 1) == pytest.approx(1)


def test_spearman_gives_equal_values_the_mean_of_their_places() -> None:
    # By hand: places 1.5, 1.5, 3, 4 and 1, 2, 3.5, 3.5.
    assert spearman(np.array([1, 1, 2, 3]), np.array([1, 2, 5, 5])) == pytest.approx(4 / 4.5)


def test_agreement_is_empty_between_different_matrices_and_for_constant_ranks() -> None:
    found = agreement([record(GROWING[:2]), record(PRUNING), record([[1, 2]]), record([[1, 1, 1, 1]])])
    assert np.isnan(found[0, 2]) and np.isnan(found[3]).all()
    np.testing.assert_array_equal(found, found.T)
    assert found[0, 0] == pytest.approx(1)


@given(ranks)
def test_entropy_lies_between_zero_and_one(held: list[int]) -> None:
    found = entropy(np.array(held))
    assert (found is None) == (sum(held) == 0)
    assert found is None or 0 <= found <= 1


def test_entropy_is_one_when_even_and_zero_on_one_matrix() -> None:
    assert entropy(np.full(5, 3)) == pytest.approx(1) and entropy(np.array([0, 7, 0])) == 0
    assert entropy(np.array([4])) is None


@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), max_size=6))
def test_churn_lies_between_zero_and_one(chosen: list[list[bool]]) -> None:
    found = churn(np.array(chosen, bool).reshape(-1, 4))
    assert (found is None) == (sum(any(row) for row in chosen) < 2)
    assert found is None or 0 <= found <= 1


def test_churn_of_the_same_choice_is_zero_and_of_another_one() -> None:
    same, other = [True, False, False], [False, True, True]
    assert churn(np.array([same, same])) == 0 and churn(np.array([same, other])) == 1
    assert churn(np.array([same, [False] * 3, [True, True, False]])) == 0.5


def test_loss_change_compares_the_five_steps_on_either_side() -> None:
    assert loss_change(record(GROWING)) == pytest.approx(-0.05)  # 0.01 a step, over five steps
    assert loss_change(record([[1, 2]])) is None


def test_differences_leave_out_sections_that_only_one_method_has() -> None:
    configs = [flat(config(method).as_dict()) for method in ("lora", "adalora")]
    configs.append(flat(config("lora", interval=20).as_dict()))
    assert differing(configs) == ["method", "interval"]
    assert agreed(configs).startswith('task = "planted", steps = 40, seed = 7, ') and "further fields" in agreed(
        configs
    )
    assert agreed([]) == ""


def test_labels_say_what_differs_within_a_method_and_are_never_the_same() -> None:
    configs = [
        flat(config(**values).as_dict())  # type: ignore[arg-type]
        for values in ({"seed": 1}, {"seed": 2}, {"seed": 2, "interval": 20}, {"method": "lora"}, {"method": "lora"})
    ]
    ids = [f"2026010{i}-00000{i}-abc{i}-x" for i in range(5)]
    found = labels(configs, ids)
    assert found[:3] == [
        "TriAdaptLoRA interval=10 · seed 1", "TriAdaptLoRA interval=10 · seed 2", "TriAdaptLoRA interval=20 · seed 2",
    ]  # fmt: skip
    assert found[3:] == ["LoRA (000003-abc3)", "LoRA (000004-abc4)"]
    groups = group_labels(configs)
    assert groups == ["TriAdaptLoRA interval=10"] * 2 + ["TriAdaptLoRA interval=20", "LoRA", "LoRA"]
    assert group_key(configs[0]) == group_key(configs[1]) != group_key(configs[2])


def test_runs_are_ordered_by_group_and_told_in_numbers() -> None:
    runs: list[tuple[RunInfo, RunRecord]] = [
        (info("b", seed=2), record(GROWING, config(seed=2))),
        (info("l", method="lora"), record([[2, 2, 2, 2]], steps=30, finished=False)),
        (info("a", seed=1), record(GROWING, config(seed=1))),
    ]
    compared = side_by_side(runs)
    assert [run.label for run in compared] == ["TriAdaptLoRA seed 1", "TriAdaptLoRA seed 2", "LoRA"]
    row = summary_row(compared[0])
    assert (row["Steps"], row["Total rank"], row["Rank events"], row["Metric"]) == (40, 8, 3, 0.51)
    assert row["Coverage"] == pytest.approx(2 / 3) and row["Precision"] == pytest.approx(1 / 4)
    assert summary_row(compared[2])["Churn"] is None
    assert list(difference_rows(compared)[0]) == ["Run", "method", "seed"]
    notes = cautions(compared)
    assert any("different right answers" in line for line in notes)
    assert any("LoRA." in line and "as far as they are recorded" in line for line in notes)
    assert len(kinds(compared)) == 1


def test_other_settings_of_a_task_make_another_kind() -> None:
    small = {"blocks": 1}
    compared = side_by_side([(info("a"), record(GROWING)), (info("b", planted=small), record([[1, 2]]))])
    assert list(kinds(compared)) == ["planted: recovered, blocks=4", "planted: recovered, blocks=1"]
    assert any("different matrices" in line for line in cautions(compared))


def test_the_common_past_of_a_branch_and_its_parent_is_told() -> None:
    lineage = {"branched_from": {"run": "a", "step": 20, "changes": {"interval": [10, 5]}}}
    child = replace(info("b", interval=5), lineage=lineage)
    parent = (info("a"), record(GROWING))
    notes = cautions(side_by_side([parent, (child, record(GROWING, config(interval=5)))]))
    said = "TriAdaptLoRA interval=5 was branched from TriAdaptLoRA interval=10 after step 20: interval 10 -> 5; "
    assert [line for line in notes if line.startswith(said)] == [f"{said}up to there both are one run."]
    other = (info("c", method="lora"), record([[2, 2, 2, 2]]))
    alone = cautions(side_by_side([(child, record(GROWING, config(interval=5))), other]))
    assert any(line.endswith("was branched from a after step 20: interval 10 -> 5.") for line in alone)


def test_pairs_are_told_by_seeds_of_a_group_and_groups_of_a_seed() -> None:
    correlations = np.array([[1, 0.5, 0.2], [0.5, 1, np.nan], [0.2, np.nan, 1]])
    rows = pair_table(correlations, ["A", "A", "B"], [1, 2, 1])
    assert [(row["pairs"], row["mean"], row["count"]) for row in rows] == [
        ("seeds of A", 0.5, 1), ("A and B, same seed", 0.2, 1),
    ]  # fmt: skip


def test_curves_against_rank_have_a_point_a_state_at_its_end() -> None:
    run = record(GROWING)
    line = curve(run, "loss", "total rank")
    assert line.x.tolist() == [4, 5, 6, 8]
    np.testing.assert_allclose(line.y, [0.91, 0.81, 0.71, 0.61])
    stairs = curve(run, "total rank", "step")
    assert stairs.held and stairs.x.tolist() == [0, 9, 19, 29, 39] and stairs.y.tolist() == [4, 5, 6, 8, 8]
    assert curve(run, "metric", "time").x.tolist() == [0, 20]
    assert curve(run, "total rank", "parameters").x.tolist() == [40, 50, 60, 80]


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=30), st.integers(1, 40))
def test_the_trailing_mean_is_that_of_the_values_up_to_each(values: list[float], window: int) -> None:
    found = trailing_mean(np.array(values), window)
    expected = [np.mean(values[max(0, i + 1 - window) : i + 1]) for i in range(len(values))]
    np.testing.assert_allclose(found, expected, atol=1e-9)


@given(st.lists(st.lists(st.floats(0, 9), min_size=5, max_size=5), min_size=2, max_size=5))
def test_the_mean_lies_in_the_band(values: list[list[float]]) -> None:
    lines = [Curve(np.arange(5.0), np.array(row), False) for row in values]
    for band in ("range", "confidence"):
        found = spread(lines, band)  # type: ignore[arg-type]
        assert found is not None
        assert (found.low <= found.mean + 1e-9).all() and (found.mean <= found.high + 1e-9).all()


def test_a_band_covers_what_all_runs_reached_and_needs_two() -> None:
    long, short = Curve(np.arange(9.0), np.arange(9.0), False), Curve(np.arange(3.0), np.ones(3), False)
    found = spread([long, short], "range")
    assert found is not None and found.x.tolist() == [0, 1, 2] and found.mean.tolist() == [0.5, 1, 1.5]
    interval = spread([Curve(np.zeros(1), np.array([v]), False) for v in (0.0, 2.0)], "confidence")
    assert interval is not None and interval.high[0] == pytest.approx(1 + 12.706)
    assert spread([long], "range") is None


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=12), st.booleans())
def test_nothing_beats_the_front_and_the_front_beats_the_rest(points: list[tuple[int, int]], higher: bool) -> None:
    sizes, values = np.array(points).T
    kept = front(sizes, values, higher_is_better=higher)
    gain = values if higher else -values
    for i in range(len(points)):
        beaten = any(
            (sizes[j] <= sizes[i] and gain[j] >= gain[i]) and (sizes[j] < sizes[i] or gain[j] > gain[i])
            for j in range(len(points))
        )
        twin = any(sizes[j] == sizes[i] and gain[j] == gain[i] for j in kept)
        assert twin is not beaten
