"""What a comparison makes of runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from compare_runs import config, record
from hypothesis import given
from hypothesis import strategies as st

from triadapt.methods.registry import METHODS
from triadapt.runs.info import RunInfo
from triadapt.views.compare.agreement import agreement, churn, entropy, pair_table, spearman
from triadapt.views.compare.configuration import agreed, differing, flat, group_key, group_labels, labels
from triadapt.views.compare.frame import binned, compare_frame, rank_changes
from triadapt.views.compare.interval import half_width
from triadapt.views.compare.moment import Moment, standing
from triadapt.views.compare.placing import placing
from triadapt.views.compare.record import RunRecord, record_of
from triadapt.views.compare.table import cautions, difference_rows, kinds, side_by_side, summary_row
from triadapt.views.frames import unpack

GROWING = [[1, 1, 1, 1], [2, 1, 1, 1], [2, 2, 1, 1], [2, 2, 2, 2]]
PRUNING = [[3, 3, 3, 3], [3, 3, 2, 2], [3, 3, 1, 1]]
MEASURED = [[0, 0, 0, 0], [5, 7, 6, 8], [9, 7, 6, 8]]
ranks = st.lists(st.integers(0, 20), min_size=6, max_size=6)


def info(run_id: str, **values: object) -> RunInfo:
    made = config(**values)  # type: ignore[arg-type]
    return RunInfo(id=run_id, method=made.method, task=made.task, state="finished", config=made.as_dict())


def state_at(run: RunRecord, kind: str, value: float = 0) -> int | None:
    found = standing(run, Moment(kind, value))  # type: ignore[arg-type]
    return None if found is None else found.state


def test_who_placed_rank_best_is_said_and_that_the_metric_says_otherwise() -> None:
    """With seeds 4 and 8 the first of four matrices is planted; the metric is 0.5 and a hundredth a seed."""
    well, badly = [[1, 1, 1, 1], [3, 1, 1, 1]], [[1, 1, 1, 1], [2, 1, 1, 2]]

    def compared(first_seed: int, second_seed: int) -> list[str]:
        made = [(well, config(seed=first_seed)), (badly, config("increlora", seed=second_seed))]
        return placing(
            side_by_side([(info(str(i), **{"method": run.method, "seed": run.seed}), record(states, run))
                          for i, (states, run) in enumerate(made)])
        )  # fmt: skip

    (line,) = compared(4, 8)
    assert line == (
        "Rank placed best, at the end: TriAdaptLoRA, with 100% of what grew, or was kept, on planted matrices. Best "
        "recovered: IncreLoRA, 0.58. The two disagree: a better metric does not show that rank sits where it is "
        "needed, nor the reverse."
    )
    (line,) = compared(8, 4)
    assert line.endswith("Best recovered: TriAdaptLoRA, 0.58.")
    assert placing(side_by_side([(info("a"), record(well))])) == []


def test_effective_ranks_are_shown_and_never_held_against_ranks_that_were_allotted() -> None:
    grown, surm = config(seed=4), config("surm", seed=8)
    runs = side_by_side([(info("a", seed=4), record(GROWING, grown)),
                         (info("b", method="surm", seed=8), record(MEASURED, surm))])  # fmt: skip
    own, measured = runs
    assert (own.record.rank_kind, measured.record.rank_kind) == ("allotted", "measured")
    told = summary_row(measured)
    assert {name: told[name] for name in ("Rank events", "Parameters", "Metric")} == {
        "Rank events": 0, "Parameters": 100, "Metric": 0.58,
    }  # fmt: skip
    assert [told[name] for name in ("Total rank", "Entropy", "Churn", "Coverage", "Precision")] == [None] * 5
    assert measured.record.ranks[state_at(measured.record, "step", 15)].tolist() == MEASURED[1]  # for the maps
    assert [state_at(measured.record, "budget", total) for total in (0, 6, 26, 30)] == [None] * 4
    assert np.isnan(agreement([measured.record, measured.record, own.record])[:2]).all()
    assert placing(runs) == [] and any("No rank of its own: SURM." in line for line in cautions(runs))
    assert not any("rank of its own" in line for line in cautions(runs[:1]))
    frame = unpack(compare_frame(runs))
    assert [run["rank_kind"] for run in frame["runs"]] == ["allotted", "measured"]


@pytest.mark.parametrize("method", METHODS)
def test_groups_of_any_method_are_drawn_with_dashes_of_their_own(method: str) -> None:
    made = [(info(str(top), method=method, top_h=top), record(GROWING)) for top in range(1, 7)]
    assert len({run.dash for run in side_by_side(made)}) == 6


def test_the_best_metric_of_those_who_placed_rank_is_not_called_the_best_of_all() -> None:
    made = [(GROWING, config(seed=4)), (PRUNING, config("adalora", seed=4)), (MEASURED, config("surm", seed=8))]
    (line,) = placing(
        side_by_side([(info(run.method, method=run.method, seed=run.seed), record(states, run))
                      for states, run in made])
    )  # fmt: skip
    assert "SURM" not in line and "Best recovered of these: TriAdaptLoRA and AdaLoRA, 0.54." in line


def test_a_state_is_found_by_step_budget_time_and_end() -> None:
    run = record(GROWING)
    assert state_at(run, "end") == 3
    assert [state_at(run, "step", step) for step in (0, 8, 9, 18, 39)] == [0, 0, 1, 1, 3]
    assert [state_at(run, "time", seconds) for seconds in (0, 4.4, 4.5, 20.0)] == [0, 0, 1, 3]
    assert [state_at(run, "budget", total) for total in (4, 5, 6, 7, 8)] == [0, 1, 2, 3, 3]
    assert [state_at(run, moment, 99) for moment in ("step", "time", "budget")] == [None] * 3
    assert [state_at(record(PRUNING), "budget", total) for total in (12, 11, 8, 7)] == [0, 1, 2, None]


def test_losses_and_evaluations_count_up_to_the_moment_and_a_budget_is_looked_at_where_it_ends() -> None:
    run = record(GROWING)
    assert standing(run, Moment("step", 9)) == (1, 10, 1, 10)
    assert standing(run, Moment("step", 39)) == (3, 40, 2, 40)
    assert standing(run, Moment("time", 4.5)) == (1, 10, 1, 10)
    assert standing(run, Moment("budget", 5)) == (1, 20, 1, 20)
    assert standing(run, Moment("budget", 8)) == standing(run) == (3, 40, 2, 40)


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


def test_differences_leave_out_sections_that_only_one_method_has() -> None:
    configs = [flat(config(method).as_dict()) for method in ("lora", "adalora")]
    configs.append(flat(config("lora", interval=20).as_dict()))
    assert differing(configs) == ["method", "interval"]
    assert agreed(configs).startswith("task = Planted ranks, steps = 40, seed = 7, ") and "further fields" in agreed(
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


def test_a_run_in_numbers_at_a_budget_tells_what_that_budget_came_to() -> None:
    (run,) = side_by_side([(info("a"), record(GROWING))])
    row = summary_row(run, Moment("budget", 5))
    assert (row["Steps"], row["Total rank"], row["Parameters"], row["Rank events"]) == (20, 5, 50, 1)
    assert row["Loss"] == pytest.approx(np.mean([1.0 - 0.01 * step for step in range(10, 20)]))
    absent = summary_row(run, Moment("budget", 99))
    assert absent.pop("Run") == run.label and absent.pop("State") == "finished" and set(absent.values()) == {None}


def test_half_the_interval_is_students() -> None:
    assert half_width(np.array([0.0, 2.0])) == pytest.approx(12.706)
    assert half_width(np.array([1.0])) is None
    assert half_width(np.tile([0.0, 1.0], 50)) == pytest.approx(1.96 * np.std([0, 1] * 50, ddof=1) / 10)


@given(st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=1, max_size=6))
def test_ranks_travel_as_changes_from_which_every_state_can_be_rebuilt(states: list[list[int]]) -> None:
    found = rank_changes(np.array(states))
    row, at = found["first"].copy(), 0
    for expected, count in zip(states[1:], found["changes"], strict=True):
        row[found["where"][at : at + count]] = found["rank"][at : at + count]
        at += count
        assert row.tolist() == expected


@given(st.integers(0, 50), st.integers(1, 20))
def test_long_lists_of_losses_travel_as_means_that_lose_no_step(count: int, limit: int) -> None:
    values = np.random.default_rng(0).random(count)
    found = binned(np.arange(count), values, limit)
    assert len(found["value"]) <= limit and len(found["t"]) == len(found["value"])
    sizes = np.diff(np.concatenate([[-1], found["t"].astype(int)]))
    assert sizes.sum() == count and (sizes <= found["over"]).all()
    assert float(found["value"] @ sizes) == pytest.approx(values.sum(), rel=1e-5)


def test_the_frame_shares_matrices_among_seeds_whose_truths_differ() -> None:
    runs = [(info(name, seed=seed), record(GROWING, config(seed=seed))) for name, seed in (("a", 1), ("b", 2))]
    frame = unpack(compare_frame(side_by_side(runs)))
    assert len(frame["matrices"]) == 1 and [run["matrices"] for run in frame["runs"]] == [0, 0]
    assert [run["planted"].tolist() for run in frame["runs"]] == [[0, 3, 0, 0], [0, 0, 3, 0]]
    assert frame["groups"] == ["TriAdaptLoRA"] and frame["fields"] == ["seed"]


def test_a_loss_too_large_for_single_precision_travels_as_infinite(recwarn: pytest.WarningsRecorder) -> None:
    found = binned(np.arange(2), np.array([1.0, 1e300]), 10)
    assert found["value"].tolist() == [1.0, np.inf] and not recwarn.list
