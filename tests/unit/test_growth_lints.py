import random
from typing import Any

import pytest

from triadapt.config import parse_allocation, parse_config
from triadapt.growth.fixes import with_changes
from triadapt.growth.lints import lints, lints_of_values
from triadapt.growth.preview import preview
from triadapt.growth.trainer_steps import TrainerSteps
from triadapt.methods.registry import METHODS

USUAL = {"method": "triadaptlora", "steps": 600, "warmup": 60, "interval": 20, "reference_rank": 2, "growth": "linear",
         "top_h": 2, "add_r": 1}  # fmt: skip
EPOCHS = TrainerSteps(epochs=3, rows=8000, batch_size=8, accumulation=4)

ADALORA = {"method": "adalora"}
CASES: dict[str, tuple[dict[str, Any], str, dict[str, Any]]] = {
    "warm-up past the end": (
        {"warmup": 700},
        "no_event: warmup = 700: not below steps = 600, so no rank event can ever fire; lower warmup or train longer",
        {"warmup": 60},
    ),
    "no multiple": ({"warmup": 560, "interval": 70}, "no_event: interval = 70: no multiple of it lies between", {}),
    "AdaLoRA never prunes": (
        {**ADALORA, "interval": 700, "adalora": {"final_share": 0.0}},
        "no_event: interval = 700: no multiple of it lies between",
        {},
    ),
    "one event": (
        {"warmup": 300, "interval": 350},
        "interval_long: interval = 350: longer than the 300 steps after the warm-up, so one event fires at most; lower "
        "interval",
        {},
    ),
    "all at once": ({**ADALORA, "interval": 500}, "at_once: interval = 500: no mask before step 450", {}),
    "too early": (
        {"interval": 1, "warmup": 0, "growth": "fixed"},
        "early: the budget of 48 is reached after 2 % of training, which is before the scores mean much; lengthen "
        "interval or warmup, so that there is something to tell matrices apart by",
        {},
    ),
    "missed": (
        {"interval": 100},
        "missed: the budget of 48 is not reached: 5 events end at total rank 47; lower warmup or interval, raise "
        "add_r, or choose another growth mode",
        {},
    ),
    "AdaLoRA misses": (
        {**ADALORA, "interval": 350, "adalora": {"final_share": 0.0}},
        "missed: AdaLoRA keeps total rank 50, above the budget of 48; lower interval, or raise adalora.final_share",
        {},
    ),
    "too late": (
        {"interval": 46, "method": "increlora", "warmup": 0},
        "late: the last 2 of 24 ranks come after step 540, in the last 10 % of training: too late to learn much",
        {},
    ),
    "AdaLoRA too late": (
        {**ADALORA, "adalora": {"final_share": 0.02}},
        "late: AdaLoRA prunes up to step 588 of 600, which leaves no time to make up for what it took",
        {"adalora.final_share": 0.25},
    ),
    "overshoot": (
        {"triadaptlora": {"behaviour": "reference"}, "add_r": 5},
        "overshoot: behaviour = 'reference': as published, the last event passes the budget: total rank 49 of 48",
        {"triadaptlora.behaviour": "improved"},
    ),
    "nothing to grow": (
        {"reference_rank": 1},
        "nothing_to_grow: reference_rank = 1: the budget of 24 ranks is not above the 24 the adapter starts with, so "
        "nothing can grow; raise it",
        {},
    ),
    "a step for a duration": (
        {**ADALORA, "adalora": {"final_share": 0.8}},
        "tfinal_step: tfinal = 480 is a duration: AdaLoRA's budget is final from step 120 of 600 on. If step 480 was "
        "meant, tfinal is 120",
        {"adalora.final_share": 0.2},
    ),
    "tinit and tfinal past the end": (
        {**ADALORA, "warmup": 200, "adalora": {"final_share": 0.7}},
        "refused: warmup = 200: AdaLoRA's budget is final from step 180 on",
        {"adalora.final_share": 0.3},
    ),
    "above the matrix": (
        {"reference_rank": 100},
        "above_matrix: reference_rank = 100: must not be above 64, the size of the smallest adapted matrix",
        {"reference_rank": 64},
    ),
}  # fmt: skip
COUNTED: dict[str, tuple[dict[str, Any], TrainerSteps, str, dict[str, Any]]] = {
    "warm-up in batches": (
        {"warmup": 1000},
        EPOCHS,
        "warmup_unit: warmup = 1000: not below the 750 optimizer steps, as if it counted batches. An optimizer step "
        "takes 4 of them, so 1000 batches are 250 steps",
        {"warmup": 250},
    ),
    "warm-up in epochs": (
        {"warmup": 1},
        EPOCHS,
        "warmup_unit: warmup = 1: ends at once in an epoch of 250 optimizer steps. If 1 of the 3 epochs were meant, "
        "warmup is 250",
        {"warmup": 250},
    ),
    "interval in batches": (
        {"interval": 800},
        EPOCHS,
        "interval_unit: interval = 800: not below the 750 optimizer steps, as if it counted batches. An optimizer step "
        "takes 4 of them, so 800 batches are 200 steps",
        {"interval": 200},
    ),
    "several processes": (
        {},
        TrainerSteps(3, 8000, 8, 2, processes=2),
        "one_process: processes = 2: growth changes shapes, which parallel wrappers hold fixed, so it runs in one "
        "process; accumulate 4 batches there instead",
        {"processes": 1, "accumulation": 4},
    ),
}


@pytest.mark.parametrize(("changed", "said", "fixed"), CASES.values(), ids=CASES.keys())
def test_a_schedule_that_fails_is_told_why_and_what_to_change(
    changed: dict[str, Any], said: str, fixed: dict[str, Any]
) -> None:
    found = lints_of_values({**USUAL, **changed}, matrices=24, smallest=64)
    lint = next(lint for lint in found if f"{lint.code}: {lint.message}".startswith(said))
    assert lint.changes and (not fixed or lint.changes == fixed)
    assert lint.code not in {
        left.code
        for left in lints_of_values(with_changes({**USUAL, **changed}, lint.changes), matrices=24, smallest=64)
    }


@pytest.mark.parametrize(("changed", "counted", "said", "fixed"), COUNTED.values(), ids=COUNTED.keys())
def test_numbers_in_batches_or_epochs_are_recognised(
    changed: dict[str, Any], counted: TrainerSteps, said: str, fixed: dict[str, Any]
) -> None:
    values = {**USUAL, **changed, "steps": counted.steps}
    found = lints_of_values(values, matrices=24, counted=counted)
    assert (said, fixed) in [(f"{lint.code}: {lint.message}", lint.changes) for lint in found]
    # What follows from the wrong unit is not said a second time.
    assert not (found[0].code == "warmup_unit" and any(lint.code == "no_event" for lint in found))


@pytest.mark.parametrize("method", METHODS)
def test_the_default_schedule_of_the_planted_task_has_no_finding(method: str) -> None:
    assert lints(parse_config({"method": method}), matrices=24, smallest=64) == []


def test_plain_lora_has_no_schedule_to_speak_against() -> None:
    assert lints(parse_config({"method": "lora", "warmup": 9999, "reference_rank": 1}), matrices=24) == []


def test_a_fix_leaves_more_than_one_event_to_choose_at() -> None:
    late = {**USUAL, "method": "increlora", "steps": 120, "warmup": 70, "interval": 5, "top_h": 4}
    (lint,) = lints_of_values(late, matrices=36)
    mended = parse_allocation(with_changes(late, lint.changes))
    assert lint.code == "late" and len(preview(mended, 36).rows) > 1


def random_case(rng: random.Random) -> tuple[dict[str, Any], dict[str, Any]]:
    method = rng.choice(["triadaptlora", "increlora", "adalora"])
    steps, counted = int(10 ** rng.uniform(1.3, 4)), None
    if rng.random() < 0.3:
        counted = TrainerSteps(
            rng.choice([1, 2, 3, 5.5]), rng.randint(400, 5000), rng.choice([4, 8]), rng.choice([1, 2, 4, 8])
        )
        steps = counted.steps
    values: dict[str, Any] = {
        "method": method, "steps": steps, "warmup": int(steps * rng.choice([0, 0.1, 0.3, 0.9, 1.5, 3]) * rng.random()),
        "interval": max(1, int(steps * rng.choice([0.001, 0.01, 0.05, 0.3, 1.5]) * rng.random())),
        "reference_rank": rng.choice([1, 2, 4, 8, 16]), "top_h": rng.randint(1, 30), "add_r": rng.choice([1, 1, 2, 4]),
        "growth": rng.choice(["linear", "non-linear", "fixed"]),
    }  # fmt: skip
    if method == "adalora":
        values[method] = {"final_share": rng.choice([0, 0.05, 0.25, 0.6, 0.9]), "init_rank_ratio": rng.choice([1.5, 2])}
    else:
        values[method] = {"behaviour": rng.choice(["improved", "reference"])}
    return values, {"matrices": rng.choice([1, 6, 24, 72]), "smallest": rng.choice([None, 8, 64]), "counted": counted}


def test_every_fix_removes_its_finding() -> None:
    rng = random.Random(11)
    seen: dict[str, int] = {}
    without = 0
    for _ in range(500):
        values, given = random_case(rng)
        found = lints_of_values(values, **given)
        before = {lint.code for lint in found}
        for lint in found:
            seen[lint.code] = seen.get(lint.code, 0) + 1
            without += not lint.changes
            if lint.changes:
                after = {left.code for left in lints_of_values(with_changes(values, lint.changes), **given)}
                assert lint.code not in after, (values, given, lint)
                assert "refused" in before or "refused" not in after, (values, given, lint)
    assert len(seen) == 13 and min(seen.values()) >= 5, seen
    assert without <= sum(seen.values()) / 100


def test_the_same_findings_are_told_in_words_by_the_preview() -> None:
    rng = random.Random(12)
    for _ in range(200):
        values, given = random_case(rng)
        found = {lint.message: lint.code for lint in lints_of_values(values, matrices=given["matrices"])}
        if "refused" in found.values():
            continue
        for problem in preview(parse_allocation(values), given["matrices"]).problems:
            assert found.get(problem.message) == problem.code or "interval_long" in found.values()
