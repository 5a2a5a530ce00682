"""The trials of a study as a table, failed ones with their reason."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from triadapt.figures.sweep_style import method_look, word
from triadapt.sweeps.record import StudyRecord
from triadapt.views.sweep.slices import METHOD


def trial_table(study: StudyRecord) -> None:
    """A row a trial, newest first among those that ended; a selected row is the chosen trial."""
    if not study.trials:
        return
    rows = []
    for trial in study.trials:
        values = {
            word(name): method_look(str(value))[0] if name == METHOD else value for name, value in trial.point.items()
        }
        done = f"{trial.steps} / {trial.total_steps}" if trial.total_steps else ""
        rows.append({
            "run": trial.number, **values, "seed": trial.seed, "state": trial.state, study.info.metric: trial.value,
            "steps": done, "seconds": trial.seconds or None, "what happened": trial.error,
        })  # fmt: skip
    drawn = [trial.number for trial in study.trials]
    key = f"sweep_table-{study.info.id}"

    def choose() -> None:
        # In a callback, before the charts are drawn, and once: what is clicked there later counts.
        if rows := st.session_state[key].selection.rows:
            st.session_state["sweep_trial"] = (study.info.id, drawn[rows[0]])

    st.dataframe(
        pd.DataFrame(rows), hide_index=True, width="stretch", height=min(420, 38 + 35 * len(rows)), key=key,
        on_select=choose, selection_mode="single-row", placeholder="",
        column_config={study.info.metric: st.column_config.NumberColumn(format="%.4g"),
                       "seconds": st.column_config.NumberColumn(format="%.1f")},
    )  # fmt: skip
