"""The payload of the board: complete, in increments, small, exact."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from triadapt.events import Evaluation, Failed, Matrix, RankEvent, Scores, Stamped, Started, Step
from triadapt.views.board import board_frame, run_frame
from triadapt.views.board_parts import matrix_table
from triadapt.views.frames import unpack
from triadapt.views.thinning import keep_extremes

RUNNING = {"state": "running", "speed": 40.0, "eta": None}


def started(n: int = 3, method: str = "triadaptlora") -> Started:
    matrices = [Matrix(f"m{i}", i, "q", (8, 4), 2 if i == 0 else 0) for i in range(n)]
    return Started(0, {"steps": 10}, matrices, method, "planted", "grows", "triangular", "error", False, 10, n, 2 * n,
                   99, [2, 4], "cpu")  # fmt: skip


def rank_event(step: int, ranks: list[int], *, units: int = 0) -> RankEvent:
    n = len(ranks)
    return RankEvent(step, "linear", 0.5, 1, [0], sum(ranks), 10, 20, np.arange(n, dtype=np.float32),
                     np.array(ranks, np.uint16), np.ones(n, np.uint16), np.ones(units, np.float32),
                     np.zeros(units, np.uint16))  # fmt: skip


def ranks_of(part: dict[str, Any]) -> list[tuple[list[int], list[int]]]:
    """Ranks before and after each event, as the browser puts them together."""
    rows, at = [part["ranks"]["before"].copy()], 0
    for count in part["ranks"]["changes"]:
        rows.append(rows[-1].copy())
        rows[-1][part["ranks"]["where"][at : at + count]] = part["ranks"]["rank"][at : at + count]
        at += count
    return [(before.tolist(), after.tolist()) for before, after in zip(rows[::2], rows[1::2], strict=True)]


def stamped(*events: object) -> list[Stamped]:
    return [Stamped(seq, seq / 10, event) for seq, event in enumerate(events, start=1)]  # type: ignore[arg-type]


def test_a_full_frame_says_who_runs_and_holds_every_event() -> None:
    rows = stamped(started(), Step(0, 1.0, 0.1), rank_event(2, [2, 1, 1]), Scores(3, np.ones(3, np.float32)))
    frame = unpack(board_frame("one", [run_frame("r", rows, after=0, generation=3, status=RUNNING)], full=True))
    (run,) = frame["runs"]
    assert (frame["v"], frame["view"], frame["full"]) == (3, "one", True)
    assert (run["id"], run["from"], run["to"], run["generation"]) == ("r", 0, 4, 3)
    assert run["started"]["label"] == "TriAdaptLoRA" and run["started"]["colour"] == "#0072B2"
    table = frame["matrices"][run["started"]["matrices"]]
    assert table["names"] == ["m0", "m1", "m2"] and table["layer"] == [0, 1, 2] and table["modules"] == ["q"]
    assert table["shapes"] == [[8, 4]] and table["shape"] == [0, 0, 0] and table["planted"] == [2, 0, 0]
    assert run["started"]["planned"].tolist() == [2, 4]
    assert run["status"] == {"state": "running", "speed": 40.0}
    assert ranks_of(run["events"]) == [([1, 1, 1], [2, 1, 1])]
    assert "chosen" not in run["events"]  # what changed, in order
    assert run["step"]["loss"].tolist() == [1.0]


def test_an_increment_holds_only_what_is_newer() -> None:
    rows = stamped(started(), Step(0, 1.0, 0.1), Step(1, 0.9, 0.1))
    run = run_frame("r", rows, after=2, generation=0, status=RUNNING)
    assert (run["from"], run["to"]) == (2, 3)
    assert "started" not in run and run["step"]["first"] == 1


def test_nothing_new_is_a_status_alone() -> None:
    run = run_frame("r", [], after=7, generation=0, status={"state": "paused"})
    assert run == {"id": "r", "from": 7, "to": 7, "generation": 0, "status": {"state": "paused"}}


def test_increments_add_up_to_the_full_frame() -> None:
    rows = stamped(started(), *(Step(t, 1 / (t + 1), 0.1) for t in range(5)), rank_event(5, [2, 1, 1]))
    parts = [run_frame("r", rows[:cut], after=after, generation=0, status=RUNNING) for after, cut in ((0, 3), (3, 7))]
    whole = run_frame("r", rows, after=0, generation=0, status=RUNNING)
    joined = np.concatenate([part["step"]["loss"] for part in parts])
    np.testing.assert_array_equal(joined, whole["step"]["loss"])
    assert parts[1]["from"] == parts[0]["to"]


@pytest.mark.parametrize("rank", [255, 256, 60000])
def test_large_ranks_do_not_wrap(rank: int) -> None:
    run = run_frame("r", stamped(started(1), rank_event(2, [rank])), after=0, generation=0, status=RUNNING)
    assert ranks_of(run["events"]) == [([1], [rank])]


@given(arrays(np.uint16, st.tuples(st.integers(1, 6).map(lambda k: 2 * k), st.integers(1, 5))))
def test_ranks_travel_as_changes_and_lose_nothing(rows: Any) -> None:
    events = [replace(rank_event(t, after.tolist()), before=before) for t, (before, after) in
              enumerate(zip(rows[::2], rows[1::2], strict=True))]  # fmt: skip
    part = run_frame("r", stamped(*events), after=0, generation=0, status=RUNNING)["events"]
    assert ranks_of(part) == [(e.before.tolist(), e.ranks.tolist()) for e in events]


def test_a_name_is_sent_once_for_all_layers_where_it_repeats() -> None:
    layers = [Matrix(f"model.layers.{i}.{m}_proj", i, m, (4, 4)) for i in range(2) for m in "qk"]
    assert matrix_table(layers)["patterns"] == ["model.layers.{}.q_proj", "model.layers.{}.k_proj"]
    twice = [Matrix(f"a.{i}.b.0.q", i, "q", (4, 4)) for i in range(2)]
    assert matrix_table(twice)["names"] == ["a.0.b.0.q", "a.1.b.0.q"]
    assert matrix_table(layers)["planted"] == [65535] * 4


def test_a_failed_run_tells_its_error() -> None:
    run = run_frame("r", stamped(Failed(3, "out of memory")), after=0, generation=0, status={"state": "failed"})
    assert run["error"] == "out of memory"


def test_a_long_loss_curve_is_thinned_with_its_peaks() -> None:
    events = [Step(t, 50.0 if t == 7777 else 1.0, 0.1) for t in range(20_000)]
    part = run_frame("r", stamped(*events), after=0, generation=0, status=RUNNING)["step"]
    assert len(part["t"]) <= 4000 and 7777 in part["t"] and part["t"][-1] == 19_999


def test_an_unknown_state_is_refused() -> None:
    with pytest.raises(ValueError, match=r"state = 'gone'.*queued"):
        run_frame("r", [], after=0, generation=0, status={"state": "gone"})


def test_thinning_keeps_smallest_and_largest_and_the_ends() -> None:
    values = np.sin(np.arange(5000) / 3)
    values[1234], values[4321] = -9, 9
    kept = keep_extremes(values, 100)
    assert len(kept) <= 100 and {0, 1234, 4321, 4999} <= set(kept.tolist())
    assert (np.diff(kept) > 0).all()


def test_thinning_leaves_short_curves_alone_and_minds_nan() -> None:
    assert keep_extremes(np.arange(5), 10).tolist() == [0, 1, 2, 3, 4]
    values = np.full(100, np.nan)
    values[50] = 1
    assert 50 in keep_extremes(values, 10)


def test_of_many_evaluations_the_first_and_the_last_travel() -> None:
    rows = stamped(*(Evaluation(t, {"error": t / 10}) for t in range(300)))
    part = run_frame("r", rows, after=0, generation=0, status=RUNNING, most_evaluations=50)["evals"]
    assert len(part["t"]) == 50 and part["t"][0] == 0 and part["t"][-1] == 299


def test_who_was_chosen_is_told_where_it_is_not_what_changed() -> None:
    events = [rank_event(2, [1, 2, 1]), replace(rank_event(4, [1, 2, 1]), chosen=[2, 0])]
    part = run_frame("r", stamped(*events), after=0, generation=0, status=RUNNING)["events"]
    assert part["chosen"].tolist() == [0, 2, 0] and part["chosen_count"].tolist() == [1, 2]
