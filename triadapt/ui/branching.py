"""The control of the play page that goes on from a checkpoint of the race on view as a new run."""

from __future__ import annotations

import sqlite3
from typing import Any

import streamlit as st

from triadapt.config import ConfigError
from triadapt.methods.registry import METHODS
from triadapt.runs.branch import BranchPlan, BranchPoint, branch_points, may_change, plan_branch
from triadapt.runs.info import RunError, RunInfo, told_changes
from triadapt.runs.library import config_of
from triadapt.ui.address import on_view, write_address
from triadapt.ui.controls import ALL, Field
from triadapt.ui.downloads import has_weights
from triadapt.ui.messages import keep_message
from triadapt.ui.showing import Shown
from triadapt.workers.manager import RunManager

NAMES = ("reference_rank", "warmup", "interval", "growth", "top_h", "steps", "learning_rate")
MOST_STEPS_NAMED = 4


def branch_control(manager: RunManager, race: Shown | None) -> None:
    """A popover: which run, from which checkpoint, with which settings. Always there, so that the row of buttons stays
    as it is; of no use for a recorded race, which comes without checkpoints."""
    whole = [] if race is None or race.recorded else [info for info, _ in race.runs if info.state != "damaged"]
    runs = {info.id: info for info in whole if has_weights(info)}
    plan: BranchPlan | None = None
    # Opening asks for the page again, because a race that runs has made new checkpoints since. A new place each time
    # the view changes closes it.
    with st.popover(
        "Branch", icon=":material/call_split:", key=f"branch-{on_view().turn}", on_change="rerun", disabled=not whole,
        help="Go on from a checkpoint of this race as a new run with other settings.",
    ):  # fmt: skip
        try:
            plan = _form(manager, runs) if runs else None
        except (RunError, ConfigError, OSError, sqlite3.Error) as error:
            for line in error.lines if isinstance(error, ConfigError) else [str(error)]:
                st.error(line, icon=":material/error:")
        if plan is not None:
            _say(plan)
        elif not runs:
            st.caption("No checkpoint yet: the next rank event, a stop or the end makes one.")
        st.button(
            "Start the branch", type="primary", icon=":material/call_split:", key="branch_button",
            disabled=plan is None, on_click=_want_branch, help="The run it comes from stays as it is.",
        )  # fmt: skip
    if st.session_state.pop("branch_wanted", False) and plan is not None:
        start_branch(manager, plan)


def _want_branch() -> None:
    st.session_state["branch_wanted"] = True


def _form(manager: RunManager, runs: dict[str, RunInfo]) -> BranchPlan:
    run_id = next(iter(runs))
    if len(runs) > 1:
        run_id = st.selectbox("Run", list(runs), key=f"branch-{run_id}-run", format_func=lambda run: _label(runs[run]))
    info = runs[run_id]
    config = config_of(info)
    points = {point.step: point for point in reversed(branch_points(manager.runs / run_id))}
    if not points:
        raise RunError(f"{_label(info)} has no checkpoint yet; its next rank event makes one")
    # The newest from which the schedule still has a say; at the very end only a longer run has anything to train.
    left = [step for step in points if step + 1 < config.steps]
    open_ones = [step for step in left if points[step].total_rank != info.target_total_rank]
    first = [*open_ones, *left, *points][0]
    step = st.selectbox(
        "From", list(points), index=list(points).index(first), key=f"branch-{run_id}-from",
        format_func=lambda step: points[step].label(),
        help="The checkpoints on disk: one at each rank event, at a stop and at the end.",
    )  # fmt: skip
    point: BranchPoint = points[step]
    allowed, fields = may_change(config), {field.key: field for field in ALL}
    values: dict[str, Any] = {}
    columns = st.columns(2)
    for index, field in enumerate(fields[name] for name in NAMES if name in allowed):
        with columns[index % 2]:
            values[field.key] = _widget(field, getattr(config, field.key), f"branch-{run_id}-{field.key}")
    return plan_branch(manager.runs, run_id, values, point.step)


def _label(info: RunInfo) -> str:
    return METHODS[info.method].label if info.method in METHODS else info.id


def _widget(field: Field, present: Any, key: str) -> Any:
    """Like the control of that field, but with the run's value at first and room for one from the command line."""
    if field.options:
        options = list(dict.fromkeys([*field.options, present]))
        return st.selectbox(field.label, options, index=options.index(present), key=key, help=field.help)
    kind = type(field.low)
    low, high = kind(min(field.low, present)), kind(max(field.high, present))
    form = None if kind is int else "%g"
    return st.number_input(
        field.label, low, high, kind(present), kind(field.step), key=key, help=field.help, format=form
    )


def _say(plan: BranchPlan) -> None:
    """What the branch would do, before it is started."""
    lines = [told_changes(plan.changes) or "Nothing changed: it will repeat the run."]
    if METHODS[plan.config.method].allocation != "fixed" and not plan.warnings:
        first = ", ".join(str(step) for step in plan.planned[:MOST_STEPS_NAMED])
        more = ", ..." if len(plan.planned) > MOST_STEPS_NAMED else ""
        count = len(plan.planned)
        lines.append(
            f"{count} rank event{'s' * (count != 1)} to come" + (f", at step {first}{more}" if count else "") + "."
        )
    st.caption("  \n".join(lines))
    for line in plan.warnings:
        st.caption(f":material/warning: {line}")


def start_branch(manager: RunManager, plan: BranchPlan) -> None:
    """Queue the branch as a race of its own and show it."""
    view = on_view()
    try:
        race = manager.branch(plan)
    except (RunError, OSError, sqlite3.Error) as error:
        keep_message(f"The branch could not be started: {error}")
    else:
        view.turn_to(race)
        write_address()
    st.rerun()
