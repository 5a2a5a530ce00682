"""Where the run on view comes from, what was branched from it, and the ways there."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from triadapt.runs.info import RunInfo, told_changes
from triadapt.runs.lineage import ancestors, branches_of
from triadapt.ui.address import on_view
from triadapt.ui.classroom.desk import Desk
from triadapt.ui.compare_selection import PARAMETER
from triadapt.ui.fields import label
from triadapt.ui.markdown import plain
from triadapt.ui.showing import Shown
from triadapt.ui.titles import branch_line, method_label

BESIDE = "parent"
"""Name in the address of the choice whether a branch is shown beside its parent."""
MOST_BRANCHES = 4


def lineage(manager: Desk, race: Shown, infos: Sequence[RunInfo]) -> bool:
    """Tell the lineage of the race on view, with links. Returns whether its parent is wanted on the board too.

    infos: all runs of the folder.
    """
    if race.recorded:
        return False
    beside = False
    for info, _ in race.runs:
        if info.branched_from is not None:
            beside |= _parents(manager, info, alone=len(race.runs) == 1)
    _branches(race, infos)
    return beside


def _parents(manager: Desk, info: RunInfo, *, alone: bool) -> bool:
    """The line of one branch. Returns whether its parent is wanted beside it."""
    line = ancestors(manager.runs, info)
    told, at = [], info
    for parent in [*line, None]:
        if at.branched_from is None:
            break
        told.append(branch_line(at.branched_from, parent))
        if parent is None:
            break
        at = parent
    subject = "Branched" if alone else f"{plain(method_label(info))} branched"
    text = "; that one ".join([f"{subject} from {told[0]}", *(f"from {one}" for one in told[1:])])
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"lineage-{info.id}"):
        st.caption(f":material/call_split: {text}", width="content")
        if not line:
            st.caption("(no longer here)", width="content")
            return False
        parent = line[0]
        readable = parent.state != "damaged"
        beside = alone and readable and st.toggle(
            "Parent on the board", True, key=BESIDE, bind="query-params",
            help="The run it left, in grey and dotted. Up to the dashed line both are the same.",
        )  # fmt: skip
        st.button(
            "Open parent", icon=":material/arrow_upward:", type="tertiary", key=f"open-parent-{info.id}",
            on_click=on_view().turn_to, args=(parent.race or parent.id,),
            help="Shows the run that this one was branched from.",
        )  # fmt: skip
        if readable:
            st.page_link(
                "pages/compare.py", label="Compare both", icon=":material/compare:",
                query_params={PARAMETER: f"{parent.id},{info.id}"},
                help="Puts this run and its parent side by side on the Compare page.",
            )  # fmt: skip
    return beside


def _branches(race: Shown, infos: Sequence[RunInfo]) -> None:
    """What was branched from a run of the race on view."""
    found = branches_of(infos, [info.id for info, _ in race.runs])
    if not found:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="branches"):
        st.caption(":material/account_tree: Branches:", width="content")
        for info in found[:MOST_BRANCHES]:
            assert info.branched_from is not None
            what = told_changes(info.branched_from.changes, label) or "nothing changed"
            st.button(
                f"{plain(method_label(info))} from step {info.branched_from.step}: {what}", type="tertiary",
                key=f"open-branch-{info.id}", on_click=on_view().turn_to, args=(info.race or info.id,),
                help="Shows this branch.",
            )  # fmt: skip
        if len(found) > MOST_BRANCHES:
            st.caption(f"and {len(found) - MOST_BRANCHES} more, in the list above", width="content")
