"""The sections of the compare page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from triadapt.figures.compare_agreement import agreement_map
from triadapt.figures.compare_curves import compare_curves
from triadapt.figures.compare_maps import difference_map, rank_scale, small_map
from triadapt.figures.compare_pareto import pareto
from triadapt.views.compare.agreement import agreement, pair_table
from triadapt.views.compare.configuration import agreed
from triadapt.views.compare.curves import AXES, BANDS, QUANTITIES, Band, curve, spread
from triadapt.views.compare.record import MOMENTS, Moment, same_matrices, state_at
from triadapt.views.compare.table import COLUMNS, Compared, difference_rows, grouped, kinds, summary_row

CONFIG = {"displaylogo": False, "displayModeBar": "hover", "modeBarButtonsToRemove": ["select2d", "lasso2d"]}
MAP_WIDTH = 250
WINDOWS = (1, 5, 10, 20, 50)
DIGITS = {
    "Steps": "%d", "Total rank": "%d", "Parameters": "%d", "Rank events": "%d", "Metric": "%.4g", "Entropy": "%.3f",
    "Churn": "%.2f", "Loss at events": "%+.3g", "Coverage": "%.2f", "Precision": "%.2f",
}  # fmt: skip


def _draw(figure: go.Figure, key: str, alt: str, **options: Any) -> None:
    st.plotly_chart(figure, key=key, config=CONFIG, alt=alt, **{"width": "stretch", **options})


def maps_section(runs: Sequence[Compared]) -> None:
    """Rank maps at a chosen moment, and the difference of two."""
    st.subheader("Rank of every matrix", anchor="maps")
    moment, value = _moment(runs)
    states = [state_at(run.record, moment, value) for run in runs]
    top = max(int(run.record.ranks.max()) for run in runs)
    with st.container(horizontal=True, gap="small"):
        for run, state in zip(runs, states, strict=True):
            if state is not None:
                with st.container(width=MAP_WIDTH):
                    _draw(
                        small_map(run.record.matrices, run.record.ranks[state], title=_cut(run.label), ceiling=top),
                        f"map-{run.info.id}", f"Rank map of {run.label}",
                    )  # fmt: skip
                    st.caption(_where(run, state))
    _draw(rank_scale(top), "rank-scale", f"Colours of ranks 0 to {top}", width=2 * MAP_WIDTH)
    absent = [run.label for run, state in zip(runs, states, strict=True) if state is None]
    if absent:
        st.caption(f"Never there: {', '.join(absent)}.")
    if any(run.record.planted is not None and run.record.planted.any() for run in runs):
        st.caption("An outline marks a matrix where rank is planted.")
    _difference(runs, states)


def _moment(runs: Sequence[Compared]) -> tuple[Moment, float]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen: Moment = (
            st.segmented_control(
                "Compared at", list(MOMENTS), key="compare_moment", default="end", format_func=MOMENTS.__getitem__,
                help="Equal budget: where each first has that total rank. Equal time: seconds of running time; the "
                "runs of a race take turns and share one clock.",
            )
            or "end"
        )  # fmt: skip
        if chosen == "end":
            return chosen, 0.0
        low, high, step, common = _limits(runs, chosen)
        if high <= low:
            st.caption(f"All runs are at {low:g}: there is nothing to choose.")
            return chosen, low
        name = {"step": "Step", "budget": "Total rank", "time": "Seconds"}[chosen]
        kind = float if chosen == "time" else int
        value = st.slider(
            name, kind(low), kind(high), kind(common), kind(step), key=f"compare_{chosen}-{low:g}-{high:g}",
            width=420,
        )  # fmt: skip
    return chosen, float(value)


def _limits(runs: Sequence[Compared], moment: Moment) -> tuple[float, float, float, float]:
    """Lowest, highest (where the run goes that goes furthest) and step of the slider, and how far all runs go."""
    records = [run.record for run in runs]
    if moment == "step":
        last = [max(0, record.last_step) for record in records]
        return 0, max(last), 1, min(last)
    if moment == "budget":
        lowest, highest = min(int(r.totals.min()) for r in records), max(int(r.totals.max()) for r in records)
        return lowest, highest, 1, min(int(record.totals[-1]) for record in records)
    # Downwards, so that at its right end the slider is still within the longest run.
    ends = [float(np.floor(10 * record.last_time)) / 10 for record in records]
    return 0.0, max(ends), 0.1, min(ends)


def _where(run: Compared, state: int) -> str:
    step = int(run.record.state_steps[state])
    since = "from the start" if step < 0 else f"since step {step}"
    return f"total rank {int(run.record.totals[state])}, {since}"


def _cut(label: str, most: int = 36) -> str:
    """The label with its middle left out where it is long: what comes last, the seed, tells most."""
    return label if len(label) <= most else f"{label[: most - 11]}…{label[-10:]}"


def _difference(runs: Sequence[Compared], states: Sequence[int | None]) -> None:
    there = {run.label: (run, state) for run, state in zip(runs, states, strict=True) if state is not None}
    if len(there) < 2:
        return
    st.markdown("**Difference of two, A - B**")
    names = list(there)
    with st.container(horizontal=True):
        first = _one_of("A", names, 0, "compare_a")
        second = _one_of("B", names, 1, "compare_b")
    (a, at_a), (b, at_b) = there[first], there[second]
    if not same_matrices(a.record, b.record):
        st.info("A and B adapt different matrices and cannot be subtracted; choose two runs of one task and size.")
        return
    with st.container(width=2 * MAP_WIDTH):
        _draw(
            difference_map(
                a.record.matrices, a.record.ranks[at_a], b.record.ranks[at_b], title="",
                other=() if _same_truth(a, b) else b.record.matrices,
            ),
            "difference", f"Rank of {first} minus rank of {second}",
        )  # fmt: skip
    words = "Blue: more rank in A; red: more in B."
    if not _same_truth(a, b):
        words += " Outlined: planted for A; dotted: planted for B."
    st.caption(words)


def _one_of(label: str, names: list[str], position: int, key: str) -> str:
    if st.session_state.get(key) not in names:
        st.session_state[key] = names[position]
    chosen = st.selectbox(label, names, key=key)
    return str(chosen)


def _same_truth(a: Compared, b: Compared) -> bool:
    return np.array_equal(a.record.planted, b.record.planted)  # type: ignore[arg-type]


def curves_section(runs: Sequence[Compared]) -> None:
    """Loss, metric, total rank or parameters of all runs on one axis."""
    st.subheader("Curves", anchor="curves")
    groups = grouped(runs)
    several = any(len(members) > 1 for members in groups.values())
    with st.container(horizontal=True, vertical_alignment="bottom"):
        quantity = st.segmented_control("What", QUANTITIES, key="compare_quantity", default="metric") or "metric"
        axis = st.segmented_control("Against", AXES, key="compare_axis", default="step") or "step"
        band: Band = "range"
        if several and axis in ("step", "time"):
            chosen = st.segmented_control(
                "Band over seeds", list(BANDS), key="compare_band", default="range", format_func=BANDS.__getitem__
            )
            band = chosen or band
        window = 1
        if quantity == "loss":
            window = st.select_slider(
                "Mean over steps", WINDOWS, 10, key="compare_window", width=180,
                help="The loss of a step is that of one batch; the mean over so many recorded steps shows its course.",
            )  # fmt: skip
    drawn = []
    for label, members in groups.items():
        lines = [curve(run.record, quantity, axis, window) for run in members]
        closely = axis in ("step", "time")
        drawn.append({
            "label": label, "colour": members[0].colour, "dash": members[0].dash, "place": members[0].place,
            "runs": [(run.label, line) for run, line in zip(members, lines, strict=True)],
            "spread": spread(lines, band) if closely else None,
        })  # fmt: skip
    metrics = ", ".join(dict.fromkeys(run.record.metric_name for run in runs))
    name = {"loss": "training loss", "parameters": "trainable parameters", "metric": metrics}.get(quantity, quantity)
    figure = compare_curves(
        drawn, axis=axis, quantity=name, log=quantity == "loss", joined=axis in ("step", "time")
    )  # fmt: skip
    _draw(figure, f"curves-{quantity}-{axis}", f"{name} of every run against {axis}")
    if any(group["spread"] is not None for group in drawn):
        st.caption(f"Runs that differ only in their seed: the mean as a line, a band ({BANDS[band]}), each run faint.")
    if axis in ("total rank", "parameters"):
        st.caption("A point is a state between two rank events, at its end. Plain LoRA has one.")
    if axis == "time":
        st.caption(
            "The runs of a race take turns and share one clock; hold only runs of one race, or lone runs, against "
            "each other."
        )


def configuration_section(runs: Sequence[Compared]) -> None:
    """The fields that differ, and what is the same."""
    st.subheader("Configurations", anchor="configurations")
    rows = difference_rows(runs)
    if len(rows[0]) > 1:
        st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch", height="content", key="compare_differences")
    else:
        st.caption("The configurations are equal.")
    st.caption(f"The same in all: {agreed([run.config for run in runs]) or 'nothing'}.")


def summary_section(runs: Sequence[Compared]) -> None:
    """Each run in numbers."""
    st.subheader("In numbers", anchor="numbers")
    table = pd.DataFrame([summary_row(run) for run in runs])
    filled = [name for name in table.columns if table[name].notna().any()]
    columns = {
        name: st.column_config.NumberColumn(help=words, format=DIGITS[name]) if name in DIGITS
        else st.column_config.TextColumn(help=words)
        for name, words in COLUMNS.items()
    }  # fmt: skip
    st.dataframe(
        table[filled],
        hide_index=True,
        width="stretch",
        height="content",
        column_config=columns,
        placeholder="–",
        key="compare_summary",
    )
    metrics = {run.record.metric_name: run.record.higher_is_better for run in runs}
    told = [f"{name}, {'higher' if higher else 'lower'} is better" for name, higher in metrics.items()]
    st.caption(f"Metric: {'; '.join(told)}. Point at a column's name for what it says.")


def agreement_section(runs: Sequence[Compared]) -> None:
    """Spearman's correlation of the final ranks of all pairs."""
    if len(runs) < 2:
        return
    st.subheader("Agreement of the final ranks", anchor="agreement")
    found = agreement([run.record for run in runs])
    flat = [run.label for run in runs if not np.ptp(run.record.ranks[-1])]
    if np.isfinite(found).any():
        with st.container(horizontal=True, gap="medium"):
            with st.container(width=600):
                _draw(agreement_map(found, [_cut(run.label) for run in runs]), "agreement",
                      "Spearman's rank correlation of the final ranks of each pair of runs")  # fmt: skip
            rows = pair_table(found, [run.group for run in runs], [run.seed for run in runs])
            if rows:
                with st.container(width=640):
                    _pairs(rows)
        st.caption("Spearman's rank correlation ρ: 1 the same order of matrices, 0 unrelated, -1 reversed.")
    if flat:
        st.caption(f"Undefined where all ranks are equal: {', '.join(flat)}.")
    if any(not same_matrices(runs[0].record, run.record) for run in runs):
        st.caption("Empty where two runs adapt different matrices.")


def _pairs(rows: list[dict[str, Any]]) -> None:
    table = pd.DataFrame(rows).rename(columns=str.capitalize)
    number = st.column_config.NumberColumn(format="%.2f")
    st.dataframe(
        table, hide_index=True, width="stretch", key="compare_pairs",
        column_config={"Mean": number, "Lowest": number, "Highest": number,
                       "Count": st.column_config.NumberColumn(help="Pairs with a correlation.")},
    )  # fmt: skip


def pareto_section(runs: Sequence[Compared]) -> None:
    """Final metric against trainable parameters, a chart for each metric."""
    st.subheader("Metric against size", anchor="pareto")
    several = kinds(runs)
    for kind, members in several.items():
        if len(several) > 1:
            st.markdown(f"**{kind}**")
        evaluated = [run for run in members if run.record.final_metric is not None]
        if not evaluated:
            st.caption(f"{kind}: nothing evaluated yet.")
            continue
        if len(evaluated) < 2:
            st.caption(f"Only {evaluated[0].label} is of this kind.")
            continue
        drawn = [
            {
                "label": label, "colour": group[0].colour, "method": group[0].info.method, "place": group[0].place,
                "labels": [run.label for run in group],
                "parameters": [int(run.record.parameters[-1]) for run in group],
                "values": [run.record.final_metric for run in group],
            }
            for label, group in grouped(evaluated).items()
        ]  # fmt: skip
        record = evaluated[0].record
        figure = pareto(drawn, metric=record.metric_name, higher_is_better=record.higher_is_better)
        _draw(figure, f"pareto-{kind}", f"{record.metric_name} against trainable parameters")
    if any(len(group) > 1 for group in grouped(runs).values()):
        st.caption(
            "Runs that differ only in their seed: the mean, bars from the lowest to the highest, each run small."
        )
    st.caption("The dotted front joins the means that no other beats in both; the metric is the newest of each run.")
