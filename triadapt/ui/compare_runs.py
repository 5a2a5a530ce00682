"""Reads the chosen runs and draws their comparison; again and again while one of them runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from triadapt.runs.info import RunError, RunInfo
from triadapt.ui.compare_component import comparison
from triadapt.ui.compare_selection import Choosable, read_token
from triadapt.ui.markdown import plain
from triadapt.views.compare.frame import compare_frame
from triadapt.views.compare.placing import placing
from triadapt.views.compare.record import RunRecord
from triadapt.views.compare.table import cautions, side_by_side

REFRESH_SECONDS = 3.0  # a run is read whole each time
TIMED = "compare_timed"


def refresh_every(choosable: Choosable, tokens: Sequence[str]) -> float | None:
    """Seconds between two looks at the runs; None when nothing will change by itself."""
    timed = any(choosable.live(token) for token in tokens)
    st.session_state[TIMED] = timed
    return REFRESH_SECONDS if timed else None


def compare_runs(folder: Path, tokens: Sequence[str]) -> None:
    """Draw the comparison once. Meant to run in a fragment; asks for a whole rerun when nothing runs any more."""
    read: list[tuple[RunInfo, RunRecord]] = []
    live = False
    for token in tokens:
        try:
            info, record = read_token(folder, token)
        except RunError as error:
            st.error(plain(f"{error}; it is left out"), icon=":material/error:")
            continue
        live |= info.live
        if record is None:
            st.info(plain(f"{info.id} is {info.state} and has recorded nothing yet; it is left out."))
        else:
            read.append((info, record))
    if not read:
        st.info("Choose runs above, or select rows on the Runs page and press Compare there.")
    else:
        compared = side_by_side(read)
        if len(compared) > 1 and (lines := [*placing(compared), *cautions(compared)]):
            st.caption("  \n".join(f":material/info: {plain(line)}" for line in lines))
        comparison(compare_frame(compared), key="comparison")
    if st.session_state.get(TIMED) and not live:
        st.rerun()
