"""Verify: the real run under the schedule of a replay, and how far the guess was off."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st

from triadapt.figures.what_if_maps import difference_map
from triadapt.runs.info import LIVE, RunError, told_changes
from triadapt.runs.reader import RunReader
from triadapt.tasks.registry import ELSEWHERE
from triadapt.ui.classroom.desk import NO_TRAINING, Desk
from triadapt.ui.classroom.rules import may_train
from triadapt.ui.fields import label
from triadapt.ui.figure_component import figure
from triadapt.ui.markdown import plain
from triadapt.ui.what_if_choice import stored_recording
from triadapt.views.what_if.agreement import placed
from triadapt.views.what_if.checks import Check, judged
from triadapt.views.what_if.comparison import WhatIf, what_if

REFRESH_SECONDS = 1.0
HELP = {
    "Placed alike": "Share of the rank that moved, given or taken, that both moved on the same matrices.",
    "Rank correlation": "Spearman's, of the ranks at the end: 1 the same order of matrices, 0 unrelated.",
    "Events alike": "At each rank event, matrices that both chose over matrices that either chose, on average.",
    "As it was": "Placed alike, had the recorded ranks been taken as they are: what a guess has to beat.",
}
PERCENT = ("Placed alike", "Events alike", "As it was")


def check_section(runs: Desk, checks: Sequence[Check], found: WhatIf) -> None:
    """The button that starts the real run, and what became of every run that was started so."""
    st.markdown("**Guess and truth**")
    why = _why_not(found, _of_these(checks, found))
    if not may_train():
        why = NO_TRAINING
    if st.button(
        "Verify", icon=":material/fact_check:", type="primary", key="what_if_verify", disabled=bool(why),
        help=why or "Train this run with the changed schedule and the same seed.",
    ):  # fmt: skip
        try:
            runs.submit([found.config], f"What if: {told_changes(found.changes)}")
        except (RunError, OSError, sqlite3.Error) as error:
            st.error(plain(f"The run could not be started: {error}"), icon=":material/error:")
        else:
            st.rerun()  # the whole page, which then knows the new run
    live = any(check.info.live for check in checks)
    st.fragment(_results, run_every=REFRESH_SECONDS if live else None)(runs, checks, found)


def _of_these(checks: Sequence[Check], found: WhatIf) -> Check | None:
    """The newest run under the schedule that is replayed now, one that ended well before any other."""
    same = [check for check in checks if check.changes == found.changes]
    return next((check for check in same if check.info.state in ("finished", *LIVE)), None)


def _why_not(found: WhatIf, check: Check | None) -> str:
    if not found.changes:
        return "Change something first."
    if found.recording.given_until >= 0:
        return "This run goes on from another, and so would have to be branched there; the Play page does that."
    if found.config.task == ELSEWHERE.name:
        return "This run was trained by a program of your own: train it there with the changed schedule."
    if check is not None:
        return f"{check.info.id} is this run already."
    return ""


def _results(runs: Desk, checks: Sequence[Check], found: WhatIf) -> None:
    """Every real run under another schedule of this run, and the one under the present one in full."""
    if any(check.info.live for check in checks):
        checks = [replace(check, info=RunReader(runs.runs / check.info.id).info()) for check in checks]
        if not any(check.info.live for check in checks):
            st.rerun()  # to stop the timer
    here = _of_these(checks, found)
    if here is not None:
        _in_full(runs, here, found)
    if not checks:
        st.caption("Verify trains the run for real; its result stays here, beside the guess.")
        return
    table = pd.DataFrame(_row(runs, check, found) for check in checks)
    for name in PERCENT:
        table[name] = 100 * table[name].astype(float)
    shares = {
        name: st.column_config.NumberColumn(format="%.0f %%" if name in PERCENT else "%.2f", help=text)
        for name, text in HELP.items()
    }
    st.dataframe(table, hide_index=True, width="stretch", key="what_if_checks", placeholder="–", column_config=shares)


def _row(runs: Desk, check: Check, found: WhatIf) -> dict[str, object]:
    row: dict[str, object] = {"Change": told_changes(check.changes, label), "State": check.info.state}
    row |= dict.fromkeys(HELP)
    if check.info.state == "finished":
        row |= _shares(runs, check, found)
    return row | {"Run": check.info.id}


def _shares(runs: Desk, check: Check, found: WhatIf) -> dict[str, float | None]:
    recording = found.recording
    guess = what_if(recording, {name: new for name, (_, new) in check.changes.items()})
    truth = stored_recording(runs.runs, check.info)
    result = judged(guess, truth)
    return {
        "Placed alike": result.placed,
        "Rank correlation": result.correlation,
        "Events alike": result.events,
        "As it was": placed(recording.start, recording.final, truth.final),
    }


def _in_full(runs: Desk, check: Check, found: WhatIf) -> None:
    info = check.info
    if info.state != "finished":
        done = max(0, info.last_step + 1)
        st.progress(done / max(1, info.steps), f"{info.state}, step {done} of {info.steps or found.config.steps}")
        return
    shares = _shares(runs, check, found)
    truth = stored_recording(runs.runs, info)
    st.caption(_verdict(shares["Placed alike"], shares["As it was"]))
    with st.container(horizontal=True, vertical_alignment="center"):
        for name, value in shares.items():
            said = "–" if value is None else f"{_percent(value)} %" if name in PERCENT else f"{value:.2f}"
            st.metric(name, said, help=HELP[name], width=130)
        with st.container(width=270):
            figure(
                difference_map(truth.matrices, found.final, truth.final, title="Replayed - real"),
                name="what-if-off", label="Replayed rank minus the rank of the real run",
            )  # fmt: skip
        st.page_link(
            "pages/play.py",
            label="Open the real run",
            icon=":material/open_in_new:",
            query_params={"run": info.id},
            help="Shows on Play the run that was trained to verify the guess.",
        )


def _verdict(guess: float | None, as_it_was: float | None) -> str:
    """Whether the guess was worth anything, in words."""
    if guess is None or as_it_was is None:
        return "No rank moved, so there was nothing to guess."
    if guess > as_it_was:
        return (
            f"The guess was better than taking the recorded ranks as they are, by {_percent(guess - as_it_was)} points."
        )
    return "Here the guess was no better than taking the recorded ranks as they are."


def _percent(share: float) -> str:
    """As the table beside rounds it."""
    return f"{math.floor(100 * share + 0.5):d}"
