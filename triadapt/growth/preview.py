"""A schedule seen before any training: which events fire and how the total rank moves. Free of torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from triadapt.growth.schedule import adalora_budget, event_steps, matrices_to_grow
from triadapt.methods.registry import METHODS

if TYPE_CHECKING:
    from triadapt.config import AllocationConfig

TO_REACH_IT = "lower warmup or interval, raise add_r, or choose another growth mode"
TO_ENFORCE_IT = "lower interval, or raise adalora.final_share above 0 so that the budget is enforced at the end"
OF_UNKNOWN_TASK = 36


class Problem(NamedTuple):
    """A schedule that will not do what it is for. message: what, with its numbers, and what to change."""

    code: str
    message: str


@dataclass(frozen=True)
class Preview:
    """What a schedule will do.

    rows: one dict an event with `step`, `progress` (0..1), `gap` before it, `allowed` (matrices that may grow, or total
    rank kept when pruning), `change` (ranks it may add, below 0: takes away) and `total_rank` after it, if no scores
    tie and no matrix is full. start, target: total rank at both ends. left_out: events
    before the rows, of a brief preview.
    """

    method: str
    num_matrices: int
    start: int
    target: int
    total_step: int
    warmup: int
    rows: list[dict[str, Any]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    left_out: int = 0

    @property
    def events(self) -> int:
        """How many events there are, those left out of the rows included."""
        return len(self.rows) + self.left_out

    @property
    def warnings(self) -> list[str]:
        """The problems in words."""
        return [problem.message for problem in self.problems]

    def _find(self, code: str, message: str) -> None:
        self.problems.append(Problem(code, message))

    def _append(self, step: int, progress: float, gap: int, allowed: int, before: int, total: int) -> None:
        self.rows.append(
            {"step": step, "progress": round(progress, 4), "gap": gap, "allowed": allowed, "change": total - before,
             "total_rank": total}
        )  # fmt: skip


def shapes_of(config: AllocationConfig) -> list[tuple[int, int]] | None:
    """Shapes `(out, in)` of the matrices that the configured task adapts, where they are known without its model."""
    shapes = getattr(getattr(config, "task_settings", None), "matrix_shapes", lambda: None)()
    return None if shapes is None else list(shapes)


def matrices_of(config: AllocationConfig) -> int:
    """How many matrices the configured task adapts, as far as it can be known without loading a model."""
    return len(shapes_of(config) or ()) or OF_UNKNOWN_TASK


def target_total_rank(config: AllocationConfig, num_matrices: int) -> int:
    """Total rank that a run aims at: the budget, or what follows from a rank chosen beside it or from the method's own
    schedule; 0 without a rank of its own."""
    if METHODS[config.method].rank == "measured":  # there is none before it has learned something
        return 0
    settings: Any = config.method_settings
    if hasattr(settings, "preview"):
        return int(settings.preview(config, num_matrices).target)
    rank = settings.rank_of(config) if hasattr(settings, "rank_of") else config.reference_rank
    return int(rank) * num_matrices


def preview(
    config: AllocationConfig,
    num_matrices: int | None = None,
    start: int | None = None,
    after: int = -1,
    *,
    brief: bool = False,
) -> Preview:
    """The event table of a configuration, simulated with every allowed grant taken. start: total rank before any, where
    it is not that of a fresh adapter. after: only events above this step, for a run that has come so far. brief: of a
    pruning schedule the last two rows are enough."""
    n = num_matrices or matrices_of(config)
    target = target_total_rank(config, n)
    allocation = METHODS[config.method].allocation
    if allocation == "prunes":
        return _pruning(config, n, target, start, after, brief)
    if allocation == "fixed":
        return _fixed(config, n, target)
    if allocation == "freezes":
        settings: Any = config.method_settings
        seen: Preview = settings.preview(config, n, after)
        return seen
    start = start or n
    result = Preview(config.method, n, start, target, config.steps, config.warmup)
    if start >= target and after < 0:
        result._find(
            "nothing_to_grow",
            f"reference_rank = {config.reference_rank}: the budget of {target} ranks is not above the {start} the "
            f"adapter starts with, so nothing can grow; raise it",
        )
        return result
    if config.warmup >= config.steps:
        result._find(
            "no_event",
            f"warmup = {config.warmup}: not below steps = {config.steps}, so no rank event can ever fire; "
            f"lower warmup or train longer",
        )
        return result
    total = start
    steps = event_steps(init_warmup=config.warmup, interval=config.interval, total_step=config.steps)
    steps = [step for step in steps if step > after]
    for step in steps:
        if total >= target:
            break
        allowed = allowed_matrices(config, step=step, total_rank=total, num_matrices=n)
        before = total
        total += allowed * config.add_r
        if not as_published(config):
            total = min(target, total)
        progress = (step - config.warmup) / (config.steps - config.warmup)
        result._append(step, progress, target - before, allowed, before, total)
    if not steps and (after < 0 or total < target):
        since = f"step {after}" if after > config.warmup else f"warmup = {config.warmup}"
        result._find(
            "no_event",
            f"interval = {config.interval}: no multiple of it lies between {since} and "
            f"steps = {config.steps}, so no rank event fires; lower interval or warmup",
        )
    elif total < target:
        result._find(
            "missed",
            f"the budget of {target} is not reached: {len(result.rows)} events end at total rank {total}; "
            f"{TO_REACH_IT}",
        )
    return result


def _fixed(config: AllocationConfig, n: int, target: int) -> Preview:
    settings: Any = config.method_settings
    start = settings.start_total(config, n) if hasattr(settings, "start_total") else target
    result = Preview(config.method, n, start, target, config.steps, config.warmup)
    if start < target:
        result._find(
            "does_not_fit",
            f"lora.where = {settings.where!r}: {start} of the budget of {target} ranks fit on the matrices with a "
            f"planted change; lower reference_rank, or raise planted.planted_fraction",
        )
    return result


def as_published(config: AllocationConfig) -> bool:
    """Whether a growing method decides as its authors' code does."""
    return getattr(config.method_settings, "behaviour", "improved") == "reference"


def allowed_matrices(config: AllocationConfig, *, step: int, total_rank: int, num_matrices: int) -> int:
    """Matrices that may grow at an event of this run. The gap is in ranks, a matrix takes `add_r` of them; the authors'
    code takes the one for the other."""
    target = config.reference_rank * num_matrices
    if config.method == "increlora":
        gap = target - total_rank
        return min(config.top_h, gap if as_published(config) else -(-gap // config.add_r), num_matrices)
    allowed = matrices_to_grow(
        config.growth,
        step=step,
        init_warmup=config.warmup,
        total_step=config.steps,
        target_total_rank=target,
        total_rank=total_rank,
        num_matrices=num_matrices,
        top_h=config.top_h,
    )
    return allowed if config.growth == "fixed" or as_published(config) else max(1, allowed // config.add_r)


@dataclass(frozen=True)
class PruningSchedule:
    """AdaLoRA's schedule as PEFT takes it: `tinit` steps at the start rank, a mask every `delta` steps, the budget
    fixed for the last `tfinal` steps (a duration)."""

    init_rank: int
    tinit: int
    tfinal: int
    delta: int
    total_step: int

    @property
    def final_step(self) -> int:
        """The step at which the budget is enforced for good."""
        return self.total_step - self.tfinal

    def mask_steps(self, last: int | None = None) -> list[int]:
        """Steps at which triplets are masked, the forced one at the end included; only the `last` so many."""
        first = (self.tinit // self.delta + 1) * self.delta
        masks = range(first, self.final_step, self.delta)
        masks = masks if last is None else masks[-last:]
        return [*masks, self.final_step] if self.tfinal else list(masks)

    @property
    def masks(self) -> int:
        """How many steps those are."""
        first = (self.tinit // self.delta + 1) * self.delta
        return len(range(first, self.final_step, self.delta)) + bool(self.tfinal)


def pruning_schedule(config: AllocationConfig) -> PruningSchedule:
    """The schedule of an AdaLoRA run from the shared fields; `final_share` of the steps keep the budget fixed."""
    settings = config.method_settings
    ratio, share = float(getattr(settings, "init_rank_ratio", 1.5)), float(getattr(settings, "final_share", 0.25))
    init_rank = max(config.reference_rank + 1, round(ratio * config.reference_rank))
    tfinal = round(share * config.steps)
    return PruningSchedule(init_rank, config.warmup, tfinal, config.interval, config.steps)


def _pruning(config: AllocationConfig, n: int, target: int, held: int | None, after: int, brief: bool) -> Preview:
    schedule = pruning_schedule(config)
    start = schedule.init_rank * n
    total = held or start
    steps = schedule.mask_steps(1 if brief else None)
    result = Preview(config.method, n, total, target, config.steps, config.warmup, left_out=schedule.masks - len(steps))
    for step in steps:
        if step <= after:
            continue
        budget = adalora_budget(
            step,
            init_total=start,
            target_total=target,
            tinit=schedule.tinit,
            tfinal=schedule.tfinal,
            total_step=schedule.total_step,
        )
        progress = (step - schedule.tinit) / max(1, schedule.final_step - schedule.tinit)
        result._append(step, progress, total - budget, budget, total, budget)
        total = budget
    if after >= 0:
        if not result.rows and total > target:
            result._find(
                "no_event",
                f"interval = {config.interval}: AdaLoRA masks nothing after step {after}, so total rank stays at "
                f"{total}, above the budget of {target}; lower interval",
            )
    elif not result.rows:
        result._find(
            "no_event",
            f"interval = {config.interval}: no multiple of it lies between warmup = {config.warmup} and step "
            f"{schedule.final_step}, so AdaLoRA never prunes and every rank stays at "
            f"{schedule.init_rank}; lower interval",
        )
    elif result.events == 1 and schedule.tfinal:
        result._find(
            "at_once",
            f"interval = {config.interval}: no mask before step {schedule.final_step}, where all pruning then happens "
            f"at once; lower interval",
        )
    elif total > target:
        result._find("missed", f"AdaLoRA keeps total rank {total}, above the budget of {target}; {TO_ENFORCE_IT}")
    return result
