"""The control of the play page that goes on from a checkpoint of the race on view as a new run."""

from __future__ import annotations

import sqlite3
from functools import partial

import streamlit as st

from triadapt.config import ConfigError, RunConfig
from triadapt.figures.schedule import schedule_svg
from triadapt.methods.registry import METHODS
from triadapt.runs.branch import BranchPlan, BranchPoint, branch_points, may_change, plan_branch, recorded_totals
from triadapt.runs.info import RunError, RunInfo, told_changes
from triadapt.runs.library import config_of
from triadapt.tasks.registry import ELSEWHERE
from triadapt.ui.address import on_view
from triadapt.ui.address_component import board_on_view
from triadapt.ui.branch_fields import branch_fields
from triadapt.ui.classroom.desk import Desk
from triadapt.ui.classroom.rules import may_train
from triadapt.ui.downloads import has_weights
from triadapt.ui.fields import in_page_words, label
from triadapt.ui.markdown import plain
from triadapt.ui.showing import Shown
from triadapt.ui.starting import start_if_wanted, want
from triadapt.ui.svg_component import svg
from triadapt.views.plan import branch_plans

MOST_STEPS_NAMED = 4
# In pixels: what can be chosen, and beside it, or below on a narrow window, what would come of it.
FORM_WIDTH, PLAN_WIDTH, GAP = 360, 260, 24


def branch_control(manager: Desk, race: Shown | None) -> None:
    """A popover: which run, from which checkpoint, with which settings. Always there, so that the row of buttons stays
    as it is; of no use for a recorded race, which comes without checkpoints."""
    whole = [] if race is None or race.recorded else [info for info, _ in race.runs if info.state != "damaged"]
    whole = [info for info in whole if info.task != ELSEWHERE.name]
    plan: BranchPlan | None = None
    # Opening asks for the page again, because a race that runs has made new checkpoints since. A new place each time
    # the view changes closes it.
    popover = st.popover(
        "Branch from here", icon=":material/call_split:", key=f"branch-{on_view().turn}", on_change="rerun",
        disabled=not whole or not may_train(),
        help="Go on from a checkpoint of this race as a new run with other settings: from the step on view, or another."
        if whole else "This race comes without checkpoints; start your own.",
    )  # fmt: skip
    if popover.open:
        with popover, st.container(horizontal=True, width=FORM_WIDTH + PLAN_WIDTH + GAP):
            plan = _inside(manager, whole)
    start_if_wanted("branch", None if plan is None else partial(manager.branch, plan))


def _inside(manager: Desk, whole: list[RunInfo]) -> BranchPlan | None:
    runs = {info.id: info for info in whole if has_weights(info)}
    plan: BranchPlan | None = None
    lines: list[str] = []
    with st.container(width=FORM_WIDTH):
        form, question = st.container(), st.container()
    with question:
        seen, focus = board_on_view(f"branch-{on_view().turn}-seen")
    try:
        with form:
            plan = _form(manager, runs, seen, focus) if runs else None
    except (RunError, ConfigError, OSError, sqlite3.Error) as error:
        lines = error.lines if isinstance(error, ConfigError) else [str(error)]
    with st.container(width=PLAN_WIDTH):
        for line in lines:
            st.error(plain(in_page_words(line)), icon=":material/error:")
        if not runs:
            st.caption("No checkpoint yet: the next rank event, a stop or the end makes one.")
        if plan is not None:
            _say(manager, plan)
        st.button(
            "Start the branch", type="primary", icon=":material/call_split:", key="branch_button",
            disabled=plan is None, on_click=want, args=("branch",), help="The run it comes from stays as it is.",
        )  # fmt: skip
    return plan


def _form(manager: Desk, runs: dict[str, RunInfo], seen: int | None, focus: str) -> BranchPlan:
    """seen, focus: step and run that are looked at."""
    run_id = focus if focus in runs else next(iter(runs))
    if len(runs) > 1:
        run_id = st.selectbox(
            "Run", list(runs), index=list(runs).index(run_id), key=f"branch-{run_id}-run",
            format_func=lambda run: _label(runs[run]),
            help="Which run of the race is left.",
        )  # fmt: skip
    info = runs[run_id]
    config = config_of(info)
    points = {point.step: point for point in reversed(branch_points(manager.runs / run_id))}
    if not points:
        raise RunError(f"{_label(info)} has no checkpoint yet; its next rank event makes one")
    first = _first(points, seen, config, info)
    step = st.selectbox(
        "From", list(points), index=list(points).index(first), key=f"branch-{run_id}-from-{seen}",
        format_func=lambda step: points[step].label(),
        help="The checkpoints on disk: one at each rank event, at a stop and at the end.",
    )  # fmt: skip
    if seen is not None and seen != step == first:
        which = "the newest checkpoint up to it" if first < seen else "the first checkpoint"
        st.caption(f"Step {seen} is on view; this is {which}.")
    values = branch_fields(config, may_change(config), f"branch-{run_id}")
    return plan_branch(manager.runs, run_id, values, step)


def _first(points: dict[int, BranchPoint], seen: int | None, config: RunConfig, info: RunInfo) -> int:
    """The checkpoint offered first, of those by step, newest first: at or before the step on view; where the end is on
    view, the newest from which the schedule still has a say. From the very end only a longer run has anything to do."""
    left = [step for step in points if step + 1 < config.steps]
    if seen is not None:
        return next((step for step in left if step <= seen), [*points][-1])
    open_ones = [step for step in left if points[step].total_rank != info.target_total_rank]
    return [*open_ones, *left, *points][0]


def _label(info: RunInfo) -> str:
    return METHODS[info.method].label if info.method in METHODS else info.id


def _say(manager: Desk, plan: BranchPlan) -> None:
    """What the branch would do, before it is started."""
    lines = [told_changes(plan.changes, label) or "Nothing changed: it will repeat the run."]
    if METHODS[plan.config.method].decides:
        _draw(manager, plan)
        first = ", ".join(str(step) for step in plan.planned[:MOST_STEPS_NAMED])
        more = ", ..." if len(plan.planned) > MOST_STEPS_NAMED else ""
        count = len(plan.planned)
        end = plan.totals[-1] if count else plan.point.total_rank
        lines.append(
            f"{count} rank event{'s' * (count != 1)} to come" + (f", at step {first}{more}" if count else "")
            + f"; total rank {plan.point.total_rank} -> {end}, target {plan.target}."
        )  # fmt: skip
    if manager.active():
        lines.append("A race runs now: the branch waits in the queue.")
    st.caption("  \n".join(plain(line) for line in lines))
    for line in plan.warnings:
        st.caption(f":material/warning: {plain(in_page_words(line))}")


def _draw(manager: Desk, plan: BranchPlan) -> None:
    """Planned total rank of what remains, over what its parent did."""
    plans = branch_plans(
        plan.config, recorded_totals(manager.runs / plan.parent.id), plan.parent.last_step,
        at=(plan.point.step, plan.point.total_rank), to_come=list(zip(plan.planned, plan.totals, strict=True)),
        target=plan.target,
    )  # fmt: skip
    st.caption("Planned total rank; dashed: the run it leaves")
    svg(schedule_svg(plans), key="branch_sketch")
