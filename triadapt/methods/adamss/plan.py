"""When AdaMSS freezes subspaces, and how many still train after it. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from triadapt.growth.preview import Preview, Problem

if TYPE_CHECKING:
    from triadapt.config import AllocationConfig


@dataclass(frozen=True)
class FreezingSchedule:
    """The schedule of PEFT's adaptive subspace allocation.

    total, target: subspaces that train at first, and those that are to be left over all matrices. Importance is
    gathered from step `warmup` on; at every multiple of `interval` after it, up to `final`, only so many stay as
    `allowed` says. exponent: of the decay from total to target.
    """

    total: int
    target: int
    warmup: int
    final: int
    interval: int
    exponent: float
    adaptive: bool

    @property
    def freezes(self) -> bool:
        """Whether any subspace will be frozen."""
        return self.adaptive and self.target < self.total and self.final > self.warmup

    def steps(self) -> list[int]:
        """Steps after which subspaces are frozen."""
        first = (self.warmup // self.interval + 1) * self.interval
        return list(range(first, self.final + 1, self.interval)) if self.freezes else []

    def allowed(self, step: int) -> int:
        """Subspaces that may still train after `step`."""
        left = 1 - (step - self.warmup) / (self.final - self.warmup)
        return int(self.target + (self.total - self.target) * max(0.0, min(1.0, left)) ** self.exponent)


def freezing_schedule(config: AllocationConfig, num_matrices: int, total: int | None = None) -> FreezingSchedule:
    """The schedule of a run over so many matrices. total: subspaces there are, where they are counted.

    PEFT reaches the target only if its last step is a multiple of the interval, so the last multiple is taken.
    """
    settings: Any = config.method_settings
    last = min(config.steps - round(settings.final_share * config.steps), config.steps - 1)
    return FreezingSchedule(
        total=num_matrices * settings.subspaces if total is None else total,
        target=target_subspaces(config, num_matrices),
        warmup=config.warmup,
        final=last // config.interval * config.interval,
        interval=config.interval,
        exponent=settings.schedule_exponent,
        adaptive=settings.adaptive,
    )


def target_subspaces(config: AllocationConfig, num_matrices: int) -> int:
    """Subspaces that are left in the end: as many as the budget has ranks for, at least one."""
    settings: Any = config.method_settings
    return max(1, int(config.reference_rank * num_matrices // settings.subspace_rank))


def plan(config: AllocationConfig, num_matrices: int, after: int = -1) -> Preview:
    """What the schedule of an AdaMSS run will do, in ranks of the subspaces that still train.

    Exact where a subspace has one rank, else the most there can be, for k-means may give one fewer outputs than ranks.
    after: only events above this step, for a run that has come so far.
    """
    settings: Any = config.method_settings
    schedule, rank = freezing_schedule(config, num_matrices), int(settings.subspace_rank)
    done = [step for step in schedule.steps() if step <= after]
    trained = min(schedule.total, schedule.allowed(done[-1])) if done else schedule.total
    target = min(schedule.target, schedule.total) * rank if settings.adaptive else schedule.total * rank
    seen = Preview(config.method, num_matrices, trained * rank, target, config.steps, config.warmup)
    for step in schedule.steps()[len(done) :]:
        before, trained = trained, min(trained, schedule.allowed(step))
        seen.rows.append({
            "step": step,
            "progress": round((step - schedule.warmup) / (schedule.final - schedule.warmup), 4),
            "gap": before * rank - target,
            "allowed": schedule.allowed(step),
            "change": (trained - before) * rank,
            "total_rank": trained * rank,
        })  # fmt: skip
    if after < 0:
        seen.problems.extend(_problems(config, schedule))
    return seen


def _problems(config: AllocationConfig, schedule: FreezingSchedule) -> list[Problem]:
    settings: Any = config.method_settings
    if not settings.adaptive:
        return []
    if schedule.target >= schedule.total:
        return [
            Problem(
                "nothing_to_freeze",
                f"reference_rank = {config.reference_rank}: the budget has ranks for {schedule.target} subspaces and "
                f"there are {schedule.total}, so none is frozen; lower it, or raise adamss.subspaces",
            )
        ]
    if not schedule.freezes:
        return [
            Problem(
                "no_event",
                f"interval = {config.interval}: no multiple of it lies between warmup = {config.warmup} and the last "
                f"steps (adamss.final_share), so AdaMSS never freezes; lower interval or warmup",
            )
        ]
    return []
