"""A run beside its replay: what may be changed, what differs, what checks it, and the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_recordings import MadeUp, config_of

from benchmarks.evidence_runs import load
from benchmarks.what_if import RESULTS, chance, stretched
from benchmarks.what_if_tables import shipped
from triadapt import cli
from triadapt.config import ConfigError, parse_config
from triadapt.methods.registry import METHODS
from triadapt.runs.info import RunInfo
from triadapt.views.what_if.agreement import agreement, per_event, placed
from triadapt.views.what_if.changes import changed, may_change
from triadapt.views.what_if.checks import checks_of, judged
from triadapt.views.what_if.comparison import cautions, differing_events, named, summary, told, what_if
from triadapt.views.what_if.measured import FILE, measured
from triadapt.views.what_if.recording import Allocation


def test_another_budget_leaves_the_scale_and_adaloras_start_as_they_were() -> None:
    grown, _ = changed(config_of("triadaptlora", alpha=6.0, reference_rank=3), {"reference_rank": 4})
    assert grown.alpha == 8.0
    pruned, changes = changed(config_of("adalora", reference_rank=4), {"reference_rank": 2, "adalora.final_share": 0.5})
    assert pruned.adalora.init_rank_ratio == 3.0 and changes == {  # type: ignore[attr-defined]
        "reference_rank": (4, 2), "adalora.final_share": (0.25, 0.5),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("method", "values", "said"),
    [
        (
            "triadaptlora",
            {"seed": 3},
            "seed = 3: cannot be replayed for TriAdaptLoRA; what can: reference_rank, warmup",
        ),
        ("increlora", {"growth": "fixed"}, "growth = 'fixed': cannot be replayed for IncreLoRA"),
        ("lora", {"interval": 3}, "LoRA has no decisions to replay"),
        ("adalora", {"reference_rank": 9}, "AdaLoRA prunes from rank 4 a matrix; choose at most 3"),
        ("triadaptlora", {"interval": 0}, "interval = 0"),
    ],
)
def test_what_cannot_be_changed_is_said_with_field_and_fix(method: str, values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        changed(config_of(method), values)
    assert len(error.value.lines) == 1 and said in error.value.lines[0]


def test_nothing_changed_differs_in_nothing() -> None:
    found = what_if(MadeUp(config_of("triadaptlora")).recording(), {"interval": 6})
    assert not found.changes and not differing_events(found) and not cautions(found)
    assert told(summary(found)) == "All 6 matrices end with the rank they had."


def test_differences_are_counted_and_named() -> None:
    recording = MadeUp(config_of("triadaptlora", growth="fixed", top_h=1)).recording()
    found = what_if(recording, {"top_h": 2, "reference_rank": 4})
    rows, result = differing_events(found), summary(found)
    assert rows[0]["step"] == 12 and len(rows[0]["recorded_chosen"]) == 1 and len(rows[0]["replayed_chosen"]) == 2
    assert result["replayed_total"] - result["recorded_total"] == result["added"] > 0
    difference = found.final - recording.final
    assert result["differ"] == np.count_nonzero(difference) and result["moved"] == -difference[difference < 0].sum()
    assert f"{result['added']} ranks more in all" in told(result)
    assert set(result["recovery"]) == {"recorded", "replayed"}
    assert named(recording.matrices, [0, 3]) == "L0.q, L1.v" and named(recording.matrices, None) == "–"


def test_what_to_know_before_a_replay_is_believed_is_said() -> None:
    made = MadeUp(config_of("triadaptlora"), given_until=20, earlier=config_of("triadaptlora"))
    lines = cautions(what_if(made.recording(), {"interval": 5}))
    assert any("oldest scores are 3 steps old" in line for line in lines)
    assert any("events up to step 20 stay as they were" in line for line in lines)
    early = what_if(MadeUp(config_of("adalora", warmup=20)).recording(), {"warmup": 5})
    assert "Nothing is recorded as early as step 6; 3 events rest on scores from up to 18 steps later." in cautions(
        early
    )


def event(step: int, chosen: tuple[int, ...]) -> Allocation:
    return Allocation(step, 0.0, 1, chosen, np.zeros(3, np.int64))


def test_agreement_counts_rank_on_the_same_matrices_given_or_taken() -> None:
    start = np.array([1, 1, 1, 1])
    guess, truth = np.array([3, 2, 1, 1]), np.array([2, 1, 2, 2])
    assert placed(start, guess, truth) == pytest.approx(1 / 3) == placed(4 * start, 5 - guess, 5 - truth)
    assert placed(start, start, start) == 1.0
    found = agreement(start, truth, truth)
    assert (found.placed, found.matrices, found.correlation) == (1.0, 1.0, pytest.approx(1.0))
    assert per_event([event(10, (0, 1)), event(20, (2,))], [event(10, (1,)), event(30, (2,))]) == pytest.approx(0.5 / 3)
    assert per_event([], []) is None


def test_runs_that_differ_in_what_can_be_replayed_check_a_guess_and_no_others_do() -> None:
    config = config_of("triadaptlora")

    def info(values: dict[str, Any], **more: Any) -> RunInfo:
        run = parse_config({**config.as_dict(), **values})
        return RunInfo(id="r", method=run.method, task=run.task, state="finished", config=run.as_dict(), **more)

    fitting = info({"interval": 9, "reference_rank": 6, "alpha": 12.0, "scores_every": 1, "threads": 1})
    branch = {"branched_from": {"run": "x", "step": 3, "changes": {}}}
    others = [
        info({}), info({"interval": 9, "seed": 8}), info({"interval": 9, "learning_rate": 0.1}),
        info({"reference_rank": 6}), info({"interval": 9}, lineage=branch), replace(fitting, state="damaged"),
        info({"method": "increlora", "interval": 9}),
    ]  # fmt: skip
    (check,) = checks_of(config, [*others, fitting])
    assert check.info is fitting and check.changes == {"reference_rank": (3, 6), "interval": (6, 9)}


def test_a_guess_is_judged_by_the_real_run() -> None:
    recording = MadeUp(config_of("increlora")).recording()
    found = what_if(recording, {"interval": 12})
    truth = MadeUp(found.config).recording()
    result = judged(found, truth)
    # Scores that nobody's growth moves make a guess exact.
    assert result.placed == 1.0 and result.events == 1.0
    assert judged(what_if(recording, {}), truth).events < 1.0  # type: ignore[operator]


def test_the_agreement_shipped_for_every_method_that_adapts_is_the_one_that_was_measured() -> None:
    known = {name: measured(name) for name, spec in METHODS.items() if spec.replayed}
    assert json.loads(FILE.read_text("utf-8")) == shipped(list(load(RESULTS).values()))
    for name, found in known.items():
        assert found is not None and found.placed[1] <= found.placed[0] <= found.placed[2] <= 1
        assert f"{found.runs} recorded {METHODS[name].label} runs" in found.line(name) and "95 %" in found.line(name)
    assert measured("lora") is None


def test_baselines_of_the_benchmark_move_as_much_as_the_real_run() -> None:
    start, final = np.ones(4, np.int64), np.array([4, 2, 1, 1])
    assert stretched(start, final, 12).tolist() == [7, 3, 1, 1] and stretched(start, final, 8).tolist() == [4, 2, 1, 1]
    assert stretched(np.full(4, 4), np.array([4, 4, 2, 2]), 10).tolist() == [4, 4, 1, 1]
    assert 0.2 < chance(start, final, seed=1) < 0.6
    assert chance(np.full(4, 2), np.array([0, 0, 0, 0]), seed=1) == 1.0


def test_whatif_prints_the_events_that_differ(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["whatif", "healthy-race.increlora", "--set", "interval=40"]) == 0
    text = capsys.readouterr().out
    assert "interval 20 -> 40" in text and "First-order" in text and "% of the planted rank covered" in text
    assert cli.main(["whatif", "healthy-race.increlora", "--set", "interval=40", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["changes"] == {"interval": [20, 40]} and found["config"]["interval"] == 40
    assert all(str(row["step"]) in text for row in found["events"]) and len(found["ranks"]["replayed"]) == 24
    assert cli.main(["whatif", "healthy-race.increlora"]) == 0
    assert "no rank event differs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["healthy-race"], "name one run of this race: healthy-race.triadaptlora"),
        (["healthy-race.lora"], "LoRA takes no decisions"),
        (["healthy-race.adalora", "--set", "steps=3"], "cannot be replayed"),
        (["20260101-000000-abcd"], "there is no run or race"),
        (["nope"], "is not the id"),
    ],
)
def test_whatif_says_in_one_line_what_is_wrong(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["whatif", *arguments, "--runs", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert said in error and len(error.splitlines()) == 1


def test_fields_that_can_be_replayed_are_those_a_method_looks_at() -> None:
    assert may_change(config_of("triadaptlora")) == (
        "reference_rank", "warmup", "interval", "growth", "top_h", "add_r",
    )  # fmt: skip
    assert "growth" not in may_change(config_of("increlora")) and may_change(config_of("lora")) == ()
    assert may_change(config_of("adalora"))[-1] == "adalora.final_share"
