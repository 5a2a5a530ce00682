"""Branches: a new run that goes on from a checkpoint of another with some fields changed.

The new run's file begins with what its parent recorded up to the checkpoint, so it can be read, drawn and handed on by
itself; the parent is only read. Free of torch: the worker opens a branch as it opens any run that is resumed.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from triadapt.config import ConfigError, RunConfig, parse_config
from triadapt.events import Checkpointed, RankEvent, Stamped, Started, Warned, decided
from triadapt.growth.preview import preview, pruning_schedule
from triadapt.methods.registry import METHODS
from triadapt.runs.changes import flat, keep_scale, with_values
from triadapt.runs.info import BranchedFrom, RunError, RunInfo, Scalar, told_changes
from triadapt.runs.library import Race, config_of, find, make_runs, tidy_name
from triadapt.runs.reader import RunReader
from triadapt.runs.store import RunStore

CHECKPOINTS = "checkpoints"
TRAINING = (
    "steps", "learning_rate", "lr_schedule", "weight_decay", "max_grad_norm", "batch_size", "eval_every",
    "scores_every", "geometry_every",
)  # fmt: skip
SCHEDULE = ("reference_rank", "warmup", "interval", "growth", "top_h")
# Words of a parent about its own schedule and budget; a branch with another schedule has its own.
_ABOUT_SCHEDULE = ("schedule", "budget")


@dataclass(frozen=True)
class BranchPoint:
    """A checkpoint that a run can go on from. seq: number of its event. events: rank events up to it. total_rank: held
    there. at_event: whether a rank event wrote it, not a stop or the end."""

    seq: int
    step: int
    file: str
    events: int
    total_rank: int
    at_event: bool

    def label(self) -> str:
        """For a list to choose from."""
        what = f"event {self.events}" if self.at_event else f"after event {self.events}"
        held = f", total rank {self.total_rank}" if self.total_rank else ""  # none, without a rank of its own
        return f"step {self.step}, {what}{held}"


@dataclass(frozen=True)
class BranchPlan:
    """A branch that was checked and is not made yet. planned: steps of the rank events to come, if no scores tie, and
    totals: total rank after each; target: the total rank they aim at."""

    parent: RunInfo
    point: BranchPoint
    config: RunConfig
    changes: dict[str, tuple[Scalar, Scalar]]
    planned: list[int]
    totals: list[int]
    target: int
    warnings: list[str]

    @property
    def lineage(self) -> BranchedFrom:
        """What the new run says of its origin."""
        return BranchedFrom(self.parent.id, self.point.step, self.changes)


def branch_points(folder: Path) -> list[BranchPoint]:
    """Checkpoints of the run in `folder` whose files are there, oldest first. Raises DamagedRunError."""
    points: list[BranchPoint] = []
    events, total, last = 0, 0, -1
    for stamped in RunReader(folder).events_of(Started.kind, RankEvent.kind, Checkpointed.kind):
        match stamped.event:
            case Started() as event:
                total = event.start_total_rank
            case RankEvent() as event if decided(event):
                events, total, last = events + 1, event.total_rank, event.step
            case Checkpointed() as event if (folder / CHECKPOINTS / event.file).is_file():
                points.append(BranchPoint(stamped.seq, event.step, event.file, events, total, last == event.step))
            case _:
                pass
    return points


def recorded_totals(folder: Path) -> list[tuple[int, int]]:
    """Total rank of the run in `folder` as it was recorded: (0, that of its start), then (step, after it) of each rank
    event. Raises DamagedRunError."""
    totals: list[tuple[int, int]] = []
    for stamped in RunReader(folder).events_of(Started.kind, RankEvent.kind):
        event = stamped.event
        if isinstance(event, Started):
            totals.append((0, event.start_total_rank))
        elif isinstance(event, RankEvent) and decided(event):
            totals.append((event.step, event.total_rank))
    return totals


def may_change(config: RunConfig) -> list[str]:
    """Names of the fields after a change of which a checkpoint of this configuration still fits."""
    section = [f"{config.method}.{name}" for name in getattr(config.method_settings, "may_change", ())]
    kept = _scheduled(config)
    return [name for name in SCHEDULE if _uses(config, name)] + [n for n in (*TRAINING, *section) if n not in kept]


def _scheduled(config: RunConfig) -> tuple[str, ...]:
    """Fields that say when and how much a method freezes: its schedule counts from the start of the run and cannot be
    left half-way. One that freezes nothing may be trained for longer."""
    if METHODS[config.method].allocation != "freezes":
        return ()
    own = (f"{config.method}.{name}" for name in ("adaptive", "final_share", "schedule_exponent"))
    length = ("steps",) if getattr(config.method_settings, "adaptive", True) else ()
    return (*length, "reference_rank", "warmup", "interval", *own)


def _uses(config: RunConfig, name: str) -> bool:
    """Whether the method looks at a field of the schedule; LoRA does at the budget, which is its size, and is left out
    here all the same."""
    allocation = METHODS[config.method].allocation
    if name == "growth":
        return allocation == "grows" and config.method != "increlora"
    return allocation == "grows" or (allocation == "prunes" and name != "top_h")


def plan_branch(folder: Path, run_id: str, values: Mapping[str, Any], at: int | None = None) -> BranchPlan:
    """Check a branch of a run in `folder`. values: new values by dotted field name; those equal to the run's are no
    change. at: take the newest checkpoint at or before this step (default: the newest).

    Raises RunError, and ConfigError with one line a wrong field.
    """
    parent = _the_run(folder, run_id)
    old = config_of(parent)
    point = _point(parent, branch_points(folder / parent.id), at)
    config, changes = _changed(old, values)
    started = _started(folder / parent.id)
    if config.steps <= point.step + 1:
        longer = "raise steps, or " if "steps" in may_change(old) else ""
        raise ConfigError(
            [f"steps = {config.steps}: {point.step + 1} are done at the checkpoint of step {point.step}; "
             f"{longer}branch at an earlier step"]
        )  # fmt: skip
    _check_budget(old, config, changes, point, started)
    plan = preview(config, len(started.matrices), point.total_rank, point.step)
    planned = [row["step"] for row in plan.rows]
    warnings = list(plan.warnings) if changes else []
    schedule = [name for name in changes if name in SCHEDULE]
    if schedule and not planned and not warnings:
        warnings.append(
            f"{_named(changes, schedule)}: the budget of {plan.target} is reached at step {point.step} already, so no "
            f"rank event follows; raise reference_rank, or branch at an earlier step"
        )
    totals = [row["total_rank"] for row in plan.rows]
    # What freezes keeps its schedule, and what it aims at with it.
    target = started.target_total_rank if METHODS[config.method].allocation == "freezes" else plan.target
    return BranchPlan(parent, point, config, changes, planned, totals, target, warnings)


def _the_run(folder: Path, run_id: str) -> RunInfo:
    infos = find(folder, run_id)
    if len(infos) > 1:
        raise RunError(f"{run_id} is a race of {len(infos)} runs; name one: {', '.join(info.id for info in infos)}")
    if infos[0].state == "damaged":
        raise RunError(f"{infos[0].id} is damaged: {infos[0].error}")
    return infos[0]


def _point(parent: RunInfo, points: list[BranchPoint], at: int | None) -> BranchPoint:
    if not points:
        raise RunError(f"{parent.id} has no checkpoint to branch from; rank events, a stop and the end write one")
    fitting = [point for point in points if at is None or point.step <= at]
    if not fitting:
        raise RunError(f"at = {at}: {parent.id} has no checkpoint so early; the first is that of step {points[0].step}")
    return fitting[-1]


def _changed(old: RunConfig, values: Mapping[str, Any]) -> tuple[RunConfig, dict[str, tuple[Scalar, Scalar]]]:
    """The new configuration, and what differs."""
    before = old.as_dict()
    allowed, was = may_change(old), flat(before)
    for name in ("method", "task"):  # first of all, for the other fields depend on them
        if name in values and values[name] != was[name]:
            raise ConfigError([_refusal(old, name, values[name], was[name], allowed)])
    data = with_values(before, values)
    known = flat(parse_config(data).as_dict())
    refused = [name for name in values if name not in allowed and (name not in was or known[name] != was[name])]
    if refused:
        raise ConfigError([_refusal(old, name, values[name], was.get(name), allowed) for name in refused])
    keep_scale(old, data)
    config = parse_config(data)
    now = flat(config.as_dict())
    return config, {name: (was[name], now[name]) for name in now if now[name] != was.get(name)}


def _refusal(old: RunConfig, name: str, value: Any, was: Any, allowed: list[str]) -> str:
    label = METHODS[old.method].label
    if name in _scheduled(old):
        return f"{name} = {value!r}: {label} cannot follow another schedule from half-way; leave it out"
    if name in SCHEDULE and not (name == "reference_rank" and METHODS[old.method].allocation == "fixed"):
        return f"{name} = {value!r}: {label} does not use it; leave it out"
    if was is None:
        return f"{name} = {value!r}: a {label} run on {old.task} has no such section; leave it out"
    return (
        f"{name} = {value!r}: a branch keeps {was!r}, which its checkpoint was made with; leave it out, or train a new "
        f"run. What may change: {', '.join(allowed)}"
    )


def _named(changes: Mapping[str, tuple[Scalar, Scalar]], names: list[str]) -> str:
    return ", ".join(f"{name} = {changes[name][1]!r}" for name in names)


def _check_budget(
    old: RunConfig, new: RunConfig, changes: Mapping[str, tuple[Scalar, Scalar]], point: BranchPoint, started: Started
) -> None:
    """Raise ConfigError when the new budget or schedule cannot be followed from the ranks held at the branch."""
    allocation, count = METHODS[new.method].allocation, len(started.matrices)
    held, target, step = point.total_rank, new.reference_rank * count, point.step
    smallest = min(min(matrix.shape) for matrix in started.matrices)
    if new.reference_rank > smallest and METHODS[new.method].rank == "allotted":
        raise ConfigError(
            [f"reference_rank = {new.reference_rank}: must not be above {smallest}, the size of the smallest matrix"]
        )
    if allocation == "grows" and "reference_rank" in changes and target < held:
        raise ConfigError(
            [f"reference_rank = {new.reference_rank}: a budget of {target}, below the total rank of {held} at step "
             f"{step}; choose at least {-(-held // count)}, or branch at an earlier step"]
        )  # fmt: skip
    names = [name for name in changes if name in (*SCHEDULE, "steps", f"{new.method}.final_share")]
    if allocation != "prunes" or not names:
        return
    schedule = pruning_schedule(new)
    if schedule.final_step <= step < pruning_schedule(old).final_step:
        raise ConfigError(
            [f"{_named(changes, names)}: the budget would be final from step {schedule.final_step} on, which is before "
             f"the branch at step {step}; raise steps, lower adalora.final_share, or branch earlier"]
        )  # fmt: skip
    rows = preview(new, count, held, step).rows
    if rows and rows[0]["total_rank"] > held:
        raise ConfigError(
            [f"{_named(changes, names)}: the budget at the next event, step {rows[0]['step']}, would be "
             f"{rows[0]['total_rank']}, above the total rank of {held} at step {step}, and what is pruned does not "
             f"come back; choose a schedule that prunes earlier, or branch at an earlier step"]
        )  # fmt: skip


def _started(folder: Path) -> Started:
    for stamped in RunReader(folder).events_of(Started.kind):
        if isinstance(stamped.event, Started) and stamped.event.matrices:
            return stamped.event
    raise RunError(f"{folder.name}: its file does not say how it started")


def make_branch(folder: Path, plan: BranchPlan, name: str | None = None) -> Race:
    """Make the run folder of a branch, in state queued, to be opened as a resume is; whole or not at all.

    Raises RunError, OSError.
    """
    parent, point = folder / plan.parent.id, plan.point
    events = [stamped for stamped in RunReader(parent).events() if stamped.seq <= point.seq]
    if not (events and events[-1].seq == point.seq and isinstance(events[-1].event, Checkpointed)):
        raise RunError(f"{plan.parent.id}: the checkpoint of step {point.step} is no longer recorded; choose another")
    what = told_changes(plan.changes) or "unchanged"
    title = tidy_name(name) or tidy_name(f"{METHODS[plan.config.method].label} from step {point.step}: {what}")

    def make(place: Path, run_id: str, race: str, position: int) -> None:
        lineage = {"branched_from": plan.lineage.as_dict()}
        with RunStore.create(place, plan.config, run_id=run_id, race=race, name=title, lineage=lineage) as store:
            store.copy_events(_history(plan, events))
        (place / CHECKPOINTS).mkdir()
        shutil.copyfile(parent / CHECKPOINTS / point.file, place / CHECKPOINTS / point.file)

    return make_runs(folder, [plan.config.method], make)


def _history(plan: BranchPlan, events: list[Stamped]) -> list[Stamped]:
    """What the parent recorded up to the checkpoint, as the first part of a run of the new configuration."""
    if not plan.changes:
        return events
    step, told = plan.point.step, []
    for stamped in events[:-1]:
        event = stamped.event
        if isinstance(event, Warned) and event.code in _ABOUT_SCHEDULE:
            continue
        told.append(replace(stamped, event=_restarted(plan, event)) if isinstance(event, Started) else stamped)
    last = events[-1]
    # Before the checkpoint: a resume takes back what stands after it.
    warned = [Stamped(last.seq, last.time, Warned(step, "schedule", line, "")) for line in plan.warnings]
    return [*told, *warned, last]


def _restarted(plan: BranchPlan, event: Started) -> Started:
    config = plan.config
    return replace(
        event,
        config=config.as_dict(),
        total_step=config.steps,
        target_total_rank=plan.target,
        planned=[step for step in event.planned if step <= plan.point.step] + plan.planned,
    )
