"""What if: a recorded run's decisions taken again under another schedule, at once."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from triadapt.config import ConfigError
from triadapt.figures.what_if import replayed_totals
from triadapt.figures.what_if_maps import difference_map, small_map
from triadapt.methods.registry import METHODS
from triadapt.runs.info import RunError, told_changes
from triadapt.ui import manager
from triadapt.ui.classroom.desk import Desk
from triadapt.ui.compare_selection import Choosable
from triadapt.ui.fields import label
from triadapt.ui.figure_component import figure
from triadapt.ui.markdown import plain
from triadapt.ui.what_if_check import check_section
from triadapt.ui.what_if_choice import SAID, choose_run, controls, read_recording, write_address
from triadapt.views.what_if.checks import Check, checks_of
from triadapt.views.what_if.comparison import WhatIf, cautions, differing_events, named, summary, told, what_if
from triadapt.views.what_if.measured import measured
from triadapt.views.what_if.recording import Recording

MAP_WIDTH = 250


def what_if_section() -> None:
    """Draw the section."""
    runs = manager.manager()
    choosable = Choosable(runs.runs)
    token = choose_run(choosable)
    if token is None:
        return
    try:
        recording = read_recording(choosable, token)
    except RunError as error:
        st.error(plain(f"{token} cannot be replayed: {error}"), icon=":material/error:")
        return
    _replayed(runs, token, recording, checks_of(recording.config, choosable.infos.values()))


# A fragment: a control moved here draws what follows anew, and neither lists the runs again nor touches the page.
@st.fragment
def _replayed(runs: Desk, token: str, recording: Recording, checks: Sequence[Check]) -> None:
    # Places first. One control follows fast on another, and each ends the drawing of the last where it stands: what was
    # drawn below by then would be at a place that the browser no longer has.
    moved, errors, words, pictures, events, check = (st.container() for _ in range(6))
    with moved:
        values = controls(token, recording)
    for line in st.session_state[SAID]:
        errors.error(plain(line), icon=":material/error:")
    try:
        found = what_if(recording, values)
    except (RunError, ConfigError) as error:
        for line in error.lines if isinstance(error, ConfigError) else [f"{token} cannot be replayed: {error}"]:
            errors.error(plain(line), icon=":material/error:")
        return
    write_address(token, found.changes)
    for place, draw in ((words, _label), (pictures, _pictures), (events, _events)):
        with place:
            draw(found)
    with check:
        check_section(runs, checks, found)


def _label(found: WhatIf) -> None:
    """What kind of truth this is, how good it was measured to be, and what it says."""
    known = measured(found.config.method)
    st.caption(
        ":blue-badge[:material/looks_one: First-order] Scores are taken as they were recorded; a matrix that grows "
        "differently would have scored differently." + (f" {known.line(found.config.method)}" if known else "")
    )
    change = told_changes(found.changes, label)
    if change:
        st.markdown(f"**{plain(change)}**: {told(summary(found))}")
    else:
        st.markdown("**As it was.** Move a control: the decisions are taken again at once.")
    for line in cautions(found):
        st.caption(f":material/info: {plain(line)}")


def _pictures(found: WhatIf) -> None:
    """Maps of the ranks at the end, and the way there beside them as far as the window is wide enough."""
    recording = found.recording
    top = int(max(recording.final.max(), found.final.max()))
    result = summary(found)
    shares = result["recovery"] or {}
    with st.container(horizontal=True, gap="small"):
        for kind, ranks in (("recorded", recording.final), ("replayed", found.final)):
            with st.container(width=MAP_WIDTH):
                figure(
                    small_map(recording.matrices, ranks, title=kind.capitalize(), ceiling=top),
                    name=f"what-if-{kind}", label=f"Rank of every matrix at the end, {kind}",
                )  # fmt: skip
                words = f"total rank {int(ranks.sum())}"
                if kind in shares and shares[kind]["coverage"] is not None:
                    words += f", covers {100 * shares[kind]['coverage']:.0f} % of the planted rank"
                st.caption(words)
        with st.container(width=MAP_WIDTH):
            figure(
                difference_map(recording.matrices, found.final, recording.final, title="Replayed - recorded"),
                name="what-if-difference", label="Replayed rank minus recorded rank of every matrix",
            )  # fmt: skip
            st.caption("blue: more, red: less in the replay" + (" · outlined: planted" if shares else ""))
        with st.container(width="stretch"):
            _totals(found)


def _totals(found: WhatIf) -> None:
    recording, spec = found.recording, METHODS[found.config.method]
    curves = []
    for kind, events, config, colour, dash, symbol in (
        ("recorded", recording.events, recording.config, "#7f7f7f", "solid", "circle"),
        ("replayed", found.replayed, found.config, spec.colour, "dash", "diamond"),
    ):
        curves.append(
            {
                "label": kind, "colour": colour, "dash": dash, "symbol": symbol, "start": int(recording.start.sum()),
                "steps": [event.step for event in events], "totals": [event.total for event in events],
                "last": recording.last_step, "target": config.reference_rank * len(recording.matrices),
            }
        )  # fmt: skip
    drawn = replayed_totals(curves, total_step=found.config.steps)
    figure(drawn, name="what-if-totals", label="Total rank over step, recorded and replayed")


def _events(found: WhatIf) -> None:
    rows = differing_events(found)
    if not rows:
        return
    matrices = found.recording.matrices
    table = pd.DataFrame(
        {
            "Step": row["step"],
            "Total": row["recorded_total"], "Total, replayed": row["replayed_total"],
            "Allowed": row["recorded_allowed"], "Allowed, replayed": row["replayed_allowed"],
            "Chosen": named(matrices, row["recorded_chosen"]),
            "Chosen, replayed": named(matrices, row["replayed_chosen"]),
            "Scores of step": None if row["age"] is None else row["step"] - row["age"],
        }
        for row in rows
    )  # fmt: skip
    whole = ["Total", "Total, replayed", "Allowed", "Allowed, replayed", "Scores of step"]
    table[whole] = table[whole].astype("Int64")
    count = len({event.step for event in (*found.recording.events, *found.replayed)})
    with st.expander(f"Rank events that differ: {len(rows)} of {count}", expanded=True):
        st.dataframe(
            table,
            hide_index=True,
            width="stretch",
            key="what_if_events",
            placeholder="–",
            height=min(320, 38 + 35 * len(rows)),
        )
