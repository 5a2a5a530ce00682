"""What speaks against a schedule before it runs, each finding with fields that mend it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from triadapt.config import AllocationConfig, ConfigError, parse_allocation
from triadapt.growth.fixes import ONE_PROCESS, REFUSED, fix
from triadapt.growth.preview import Preview, preview, pruning_schedule
from triadapt.growth.trainer_steps import TrainerSteps
from triadapt.methods.registry import METHODS

EARLY, LATE = 0.1, 0.9
"""Shares of the steps: a budget reached before is spent blindly, ranks that come after have no time to learn."""


DEAD = "zero"
"""The published initialisation that cannot learn."""

Value = int | float | str


@dataclass(frozen=True)
class Lint:
    """One finding. message: what, with its numbers, and what to change. changes: fields by dotted name and the values
    under which this finding is gone; empty where none was found."""

    code: str
    message: str
    changes: dict[str, Value] = field(default_factory=dict)


def lints(
    config: AllocationConfig, *, matrices: int, smallest: int | None = None, counted: TrainerSteps | None = None
) -> list[Lint]:
    """Findings of one configuration over so many matrices, the worst first. smallest: the least side of any matrix.
    counted: how the steps came about, where they were counted from epochs."""
    return lints_of_values(
        config.model_dump(include=set(AllocationConfig.model_fields)), matrices=matrices, smallest=smallest,
        counted=counted,
    )  # fmt: skip


def lints_of_values(
    values: Mapping[str, Any], *, matrices: int, smallest: int | None = None, counted: TrainerSteps | None = None
) -> list[Lint]:
    """The same for plain values of an `AllocationConfig`, which may not go together: that is a finding too."""

    def found_in(changed: Mapping[str, Any]) -> tuple[dict[str, str], float | None]:
        return _found(changed, matrices, smallest, counted)

    found, _ = found_in(values)
    return [Lint(code, text, fix(code, values, found_in, smallest, counted)) for code, text in found.items()]


def _found(
    values: Mapping[str, Any], matrices: int, smallest: int | None, counted: TrainerSteps | None
) -> tuple[dict[str, str], float | None]:
    """Messages by code, and the share of the steps after which the budget is reached; None too where one event reaches
    it by itself: a matrix is then not chosen before another."""
    found = {} if counted is None else _units(values, counted)
    try:
        config = parse_allocation(values)
    except ConfigError as error:
        if not found:
            found[REFUSED] = "; ".join(error.lines)
        return found, None
    if smallest is not None and config.reference_rank > smallest and METHODS[config.method].rank == "allotted":
        found["above_matrix"] = (
            f"reference_rank = {config.reference_rank}: must not be above {smallest}, the size of the smallest adapted "
            f"matrix"
        )
    seen = preview(config, matrices, brief=True)
    for problem in seen.problems:
        if not (problem.code == "no_event" and "warmup_unit" in found):
            found[problem.code] = problem.message
    if getattr(config.method_settings, "init", "") == DEAD:
        found["dead"] = (
            f"{config.method}.init = {DEAD!r}: B and the core start at 0, so no gradient is ever other than 0 and "
            f"nothing is learned; choose identity"
        )
    kind = METHODS[config.method].allocation
    if kind != "fixed":
        found |= _of_pruning(config) if kind == "prunes" else _of_growth(config, seen) if kind == "grows" else {}
    if kind == "grows" and counted is not None and counted.processes > 1:
        found[ONE_PROCESS] = (
            f"processes = {counted.processes}: growth changes shapes, which parallel wrappers hold fixed, so it "
            f"runs in one process; accumulate {counted.accumulation * counted.processes} batches there instead"
        )
    if "interval_long" in found:
        found.pop("missed", None)  # what follows from it
    return found, _reached(seen) if len(seen.rows) > 1 else None


def _reached(seen: Preview) -> float | None:
    step = next((row["step"] for row in seen.rows if _there(seen, row["total_rank"])), None)
    return None if step is None else step / seen.total_step


def _there(seen: Preview, total: int) -> bool:
    return total >= seen.target if seen.start <= seen.target else total <= seen.target


def _of_growth(config: AllocationConfig, seen: Preview) -> dict[str, str]:
    found: dict[str, str] = {}
    phase = config.steps - config.warmup
    if seen.rows and config.interval > phase:
        found["interval_long"] = (
            f"interval = {config.interval}: longer than the {phase} steps after the warm-up, so one event fires at "
            f"most; lower interval"
        )
    reached = _reached(seen)
    if reached is not None and reached < EARLY:
        found["early"] = (
            f"the budget of {seen.target} is reached after {_percent(reached)} of training, which is before the "
            f"scores mean much; lengthen interval or warmup, so that there is something to tell matrices apart by"
        )
    from_step = LATE * config.steps
    late = sum(row["change"] for row in seen.rows if row["step"] > from_step)
    if late and reached is not None:
        found["late"] = (
            f"the last {late} of {seen.rows[-1]['total_rank'] - seen.start} ranks come after step {from_step:.0f}, in "
            f"the last {100 * (1 - LATE):.0f} % of training: too late to learn much; lower warmup or interval, or "
            f"raise add_r or top_h"
        )
    if seen.rows and seen.rows[-1]["total_rank"] > seen.target:
        found["overshoot"] = (
            f"behaviour = 'reference': as published, the last event passes the budget: total rank "
            f"{seen.rows[-1]['total_rank']} of {seen.target}, and equal scores may add more; choose improved"
        )
    return found


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else "less than 1 %"


def _of_pruning(config: AllocationConfig) -> dict[str, str]:
    schedule = pruning_schedule(config)
    tfinal, final, steps = schedule.tfinal, schedule.final_step, config.steps
    if tfinal > steps / 2:
        return {
            "tfinal_step": f"tfinal = {tfinal} is a duration: AdaLoRA's budget is final from step {final} of {steps} "
            f"on. If step {tfinal} was meant, tfinal is {steps - tfinal}"
        }
    if final > LATE * steps:
        until = f"step {final} of {steps}" if tfinal else "the end"
        return {
            "late": f"AdaLoRA prunes up to {until}, which leaves no time to make up for what it took; raise "
            f"adalora.final_share"
        }
    return {}


def _units(values: Mapping[str, Any], counted: TrainerSteps) -> dict[str, str]:
    """Steps that look as if they were batches or epochs."""
    found = {}
    for name in ("warmup", "interval"):
        value = values.get(name)
        a_step = counted.batches_a_step(value) if isinstance(value, int) else None
        if isinstance(value, int) and a_step is not None:
            found[f"{name}_unit"] = (
                f"{name} = {value}: not below the {counted.steps:,} optimizer steps, as if it counted batches. An "
                f"optimizer step takes {a_step} of them, so {value} batches are {round(value / a_step)} steps"
            )
    warmup = values.get("warmup")
    if "warmup_unit" not in found and isinstance(warmup, int) and counted.looks_like_epochs(warmup):
        found["warmup_unit"] = (
            f"warmup = {warmup}: ends at once in an epoch of {counted.steps_per_epoch:,} optimizer steps. If "
            f"{warmup} of the {counted.epochs:g} epochs were meant, warmup is {warmup * counted.steps_per_epoch}"
        )
    return found
