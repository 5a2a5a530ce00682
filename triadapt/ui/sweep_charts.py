"""The charts of a study, one at a time, and the trial that was clicked in one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import plotly.graph_objects as go
import streamlit as st

from triadapt.figures.sweep_lines import field_lines
from triadapt.figures.sweep_parallel import parallel_lines
from triadapt.figures.sweep_pareto import pareto
from triadapt.figures.sweep_response import response_map
from triadapt.figures.sweep_style import method_look, point_words, short, word
from triadapt.figures.sweep_trials import field_importance, trial_curves
from triadapt.runs.info import Scalar
from triadapt.sweeps.points import points_of
from triadapt.sweeps.record import StudyRecord
from triadapt.ui.compare_selection import PARAMETER
from triadapt.ui.figure_component import figure
from triadapt.ui.markdown import plain
from triadapt.views.sweep.slices import METHOD, fields_of, method_of, scored, scored_in, values_of

ALL = "all"
KINDS = {
    "map": "Response map", "lines": "Along a field", "parallel": "All fields", "importance": "Importance",
    "size": "Against size", "curves": "Curves",
}  # fmt: skip


def study_charts(study: StudyRecord, importance: Mapping[str, float]) -> None:
    """Draw the chosen chart. importance: share of each field, empty while it cannot be told."""
    fields = fields_of(study)
    kinds = [kind for kind in KINDS if kind != "map" or len(fields) > 1]
    chosen = st.segmented_control(
        "Chart", kinds, default=kinds[0], required=True, key="sweep_chart", format_func=KINDS.__getitem__,
        label_visibility="collapsed",
        help="Which picture of the finished trials is drawn.",
    )  # fmt: skip
    kind = chosen or kinds[0]
    if kind != "curves" and not scored(study):
        st.caption("No run has finished yet; until then their curves are shown.")
        kind = "curves"
    draw: dict[str, Callable[[], tuple[go.Figure, str, str]]] = {
        "map": lambda: _map(study, fields),
        "lines": lambda: _lines(study, fields),
        "parallel": lambda: (parallel_lines(study), "every run as a line across its fields", PARALLEL),
        "importance": lambda: (field_importance(importance), "importance of each field", IMPORTANCE),
        "size": lambda: (_sizes(study), "metric against trainable parameters", SIZES),
        "curves": lambda: (trial_curves(study), "metric of every run while it trains", CURVES),
    }
    if kind == "importance" and not importance:
        st.info("Importance needs a few finished runs of different values.")
        return
    if kind == "curves" and not any(trial.intermediate for trial in study.trials):
        st.info("No run has been evaluated yet; a curve begins with the first evaluation.")
        return
    drawn, label, caption = draw[kind]()
    clicked = figure(drawn, name=f"sweep-{kind}", label=label)
    st.caption(caption)
    if clicked is not None:
        st.session_state["sweep_trial"] = (study.info.id, clicked)
    _chosen_trial(study)


MAP = (
    "Numbers: means over the seeds. Points: single runs; click one to open it. In brackets: a seed failed or was "
    "pruned, and what is left is no result. Nothing is drawn between what was run."
)
LINES = (
    "Line: mean over seeds, band: 95 % interval of it (Student's t). Points: single runs; click one to open it. Open "
    "circles: a seed failed or was pruned, and what is left is no result."
)
PARALLEL = "Bright: better. Click a line to open the run."
IMPORTANCE = (
    "By PED-ANOVA (Optuna), over all points without a failed or pruned run: how far a field tells good ones from the "
    "rest. With few points it is a hint, no more."
)
CURVES = "A line a run; click one to open it. Grey: ended early or failed."
SIZES = (
    "A point's mean over its seeds, with bars to the lowest and the highest run; the dotted front joins those that no "
    "other beats in both. Open: a seed failed or was pruned, so it is left out of the front."
)


def _map(study: StudyRecord, fields: list[str]) -> tuple[go.Figure, str, str]:
    with st.container(horizontal=True):
        x = st.selectbox(
            "Across", fields, key="sweep_x", format_func=word, help="The setting whose values run from left to right."
        )
        others = [name for name in fields if name != x]
        y = st.selectbox(
            "Up", others, key=f"sweep_y_{x}", format_func=word, help="The setting whose values run from the bottom up."
        )
        held = _held(study, [name for name in others if name != y])
    return response_map(study, x, y, held), f"{study.info.metric} over {word(x)} and {word(y)}", MAP


def _lines(study: StudyRecord, fields: list[str]) -> tuple[go.Figure, str, str]:
    if not fields:
        return field_lines(study, METHOD, {}), f"{study.info.metric} of each method", LINES
    with st.container(horizontal=True):
        x = st.selectbox(
            "Across",
            fields,
            key="sweep_line_x",
            format_func=word,
            help="The setting whose values run from left to right.",
        )
        held = _held(study, [name for name in fields if name != x])
    return field_lines(study, x, held), f"{study.info.metric} along {word(x)}", LINES


def _held(study: StudyRecord, names: list[str]) -> dict[str, Scalar]:
    """Choices for the fields that are no axis: one value, or the mean over all."""
    found: dict[str, Scalar] = {}
    for name in names:
        values = values_of(study, name)
        labels = [f"{ALL} (mean)", *(short(value) for value in values)]
        chosen = st.selectbox(
            word(name).capitalize(), labels, key=f"sweep_held_{name}", help="Only trials with this value are drawn."
        )
        if chosen in labels[1:]:
            found[name] = values[labels.index(chosen) - 1]
    return found


def _sizes(study: StudyRecord) -> go.Figure:
    """A dot a point, of which means are taken over seeds alone."""
    drawn = []
    for tried in points_of(study.trials):
        trials = [trial for trial in scored_in([tried]) if trial.parameters is not None]
        if not trials:
            continue
        method = method_of(study, tried)
        label, colour, _ = method_look(method)
        drawn.append({
            "label": f"{point_words(tried.point)} ({tried.standing})", "legend": label, "colour": colour,
            "method": method, "place": int(tried.broken), "counts": tried.counts,
            "labels": [f"{point_words(tried.point)}, seed {trial.seed}" for trial in trials],
            "numbers": [trial.number for trial in trials],
            "prices": [trial.parameters for trial in trials], "values": [trial.value for trial in trials],
        })  # fmt: skip
    return pareto(drawn, metric=study.info.metric, higher_is_better=study.info.higher_is_better)


def _chosen_trial(study: StudyRecord) -> None:
    """The trial that was clicked last, with ways to its run."""
    owner, number = st.session_state.get("sweep_trial", ("", -1))
    trial = next((trial for trial in study.trials if trial.number == number), None)
    if owner != study.info.id or trial is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", border=True):
        value = f"{plain(study.info.metric)} {trial.value:.4g}" if trial.value is not None else trial.state
        st.markdown(
            f"**{plain(point_words(trial.point))}**, seed {trial.seed}: {value}"
            + (f" ({plain(trial.error)})" if trial.error else "")
        )
        if trial.run:
            st.page_link(
                "pages/play.py",
                label="Open its replay",
                icon=":material/play_circle:",
                query_params={"run": trial.run},
                help="Shows this trial's run on Play, step by step.",
            )
            alike = [other.run for other in study.trials if other.point == trial.point and other.run]
            st.page_link(
                "pages/compare.py", label="Compare its seeds", icon=":material/compare:",
                query_params={PARAMETER: ",".join(alike)},
                help="Puts the runs of this point side by side, one a seed.",
            )  # fmt: skip
