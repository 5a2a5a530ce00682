"""The first part of the Methods page: metric against price for every method, and who beats whom."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from triadapt.figures.sweep_pareto import pareto
from triadapt.runs.library import list_runs
from triadapt.ui.figure_component import figure
from triadapt.ui.markdown import plain
from triadapt.ui.methods.choices import forget_problem, say_problem, take_wish, write_choice
from triadapt.views.methods.drawn import beaten, figure_groups, table_rows
from triadapt.views.methods.kinds import first_kind, kinds_of
from triadapt.views.methods.reading import KNOWN_RESULTS
from triadapt.views.methods.recorded import recorded_kinds
from triadapt.views.methods.result import PRICES, Kind, Price, counted_in_words
from triadapt.views.methods.standing import at_best_rate, headline, is_wide, priced, standings

KIND, AGAINST, RATES = "methods_kind", "methods_against", "methods_rates"
BEST, ALL = "best", "all"
MARKS = (
    "Large: the mean over seeds, with bars to the lowest and the highest; small: single runs. Open, or with a dot: "
    "another setting of the same method. The dotted line is the front, which joins those that no other beats in both."
)
NARROWLY = "Narrowly: by no more than its own seeds differ in price."
NOTES = {
    "parameters": "Parameters are those that train at the end, the head's among them.",
    "memory": "Frozen weights, and 16 bytes for each parameter that trains, counted where most of them do: its value, "
    "its gradient and AdamW's two moments, in float32. Activations are not counted. Weights in 4 bits are what almost "
    "every method can train over, whoever does so here.",
    "time": "The median of the last steps, on the machine that trained. Times of other machines, or of one that had "
    "other work, cannot be compared with them.",
}


def price_and_quality(folder: Path) -> None:
    """Draw it. folder: of the runs."""
    kinds = [*kinds_of(KNOWN_RESULTS.of(list_runs(folder))), *recorded_kinds()]
    first = first_kind(kinds)
    if first is None:
        st.info("No finished runs yet. Press Run on the Play page, and the methods that raced are compared here.")
        return
    by_key = {kind.key: kind for kind in kinds}
    take_wish("kind", KIND, by_key, first.key)
    take_wish("against", AGAINST, PRICES, "parameters")
    take_wish("rates", RATES, (BEST, ALL), BEST)
    say_problem("kind")
    say_problem("against")
    say_problem("rates")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Task", list(by_key), key=KIND, persist_state="page", format_func=lambda key: by_key[key].label,
            on_change=forget_problem, args=("kind",),
            help="Runs that can be compared: same task and data, metric, steps and batch size. Recorded ones came with "
            "the package.",
        )  # fmt: skip
        against = st.segmented_control(
            "Against", list(PRICES), key=AGAINST, persist_state="page", required=True,
            format_func=lambda key: PRICES[key].label, on_change=forget_problem, args=("against",),
            help="What the methods are held against: what trains, what it takes to keep in memory, or how long a step "
            "takes.",
        )  # fmt: skip
        kind = by_key[chosen]
        rates = BEST
        if any(result.but_rate is not None for result in kind.results):
            rates = st.segmented_control(
                "Learning rates", [BEST, ALL], key=RATES, persist_state="page", required=True,
                on_change=forget_problem, args=("rates",),
                help="Of settings that were tried at several learning rates: the best of each, by the mean over the "
                "seeds among the rates with most of them, or all.",
            ) or BEST  # fmt: skip
    price = PRICES[against or "parameters"]
    write_choice("kind", kind.key, None if len(by_key) > 1 else kind.key)
    write_choice("against", price.key, "parameters")
    write_choice("rates", rates, BEST)
    _chart(kind, price, best_only=rates == BEST)


def _chart(kind: Kind, price: Price, *, best_only: bool) -> None:
    groups, left_out = priced(kind, price)
    every = len(groups)
    if best_only:
        groups = at_best_rate(groups, higher_is_better=kind.higher_is_better)
    rows = standings(groups, price, higher_is_better=kind.higher_is_better)
    if kind.recorded and kind.what:
        st.caption(plain(kind.what))
    if rows:
        said = headline(rows, price, metric=kind.metric, higher_is_better=kind.higher_is_better)
        if said:
            st.info(plain(said), icon=":material/lightbulb:")
        drawn = pareto(
            figure_groups(rows, price), metric=kind.metric, higher_is_better=kind.higher_is_better, price=price,
            logarithmic=is_wide(rows),
        )  # fmt: skip
        # Another chart for another kind: Plotly would keep the part of the axes that was zoomed to.
        figure(
            drawn, name=f"methods-{kind.key}-{price.key}", label=f"{kind.metric} against {price.word} of every method"
        )
        if said := beaten(rows):
            st.caption(plain(said))
        notes = [MARKS, NARROWLY * any(row.on_front and row.narrowly for row in rows), NOTES[price.key]]
        if kind.recorded and price.key == "time" and kind.machine:
            notes.append(f"Here: {kind.machine}.")
    else:
        st.info(f"The {price.word} of these runs is not recorded. Runs that are trained from now on tell it.")
        notes = []
    if len(groups) < every:
        notes.append(f"At other learning rates: {counted_in_words(every - len(groups), 'group')}, left out here.")
    if rows and any(row.group.seeds < 2 for row in rows):
        notes.append("Some have a single seed, which proves little.")
    if rows and left_out:
        notes.append(f"{counted_in_words(left_out, 'run')} left out: their {price.word} is not recorded.")
    st.caption(plain(" ".join(note for note in notes if note)))
    _table(kind, pd.DataFrame(table_rows(kind, rows)))
    if kind.recorded and kind.command:
        st.caption(f"Made by `{kind.command.replace('`', '')}`.")


def _table(kind: Kind, table: pd.DataFrame) -> None:
    if not any(table["Settings"]):
        table = table.drop(columns="Settings")
    four = st.column_config.NumberColumn(format="%.4g")
    formats = {
        "Settings": st.column_config.TextColumn(width="medium"),
        "Standing": st.column_config.TextColumn(width="large"),
        "Parameters": st.column_config.NumberColumn(format="localized", help="Trainable at the end; mean over seeds."),
        "Memory, MB": st.column_config.NumberColumn(format="%.4g", help="Frozen weights, trained values, gradients and "
                                                    "AdamW's moments; without activations."),
        "Step, ms": st.column_config.NumberColumn(format="%.3g", help="Median time of a step of late."),
        kind.metric: st.column_config.NumberColumn(format="%.4g", help="Mean over the seeds."),
        "lowest": four, "highest": four,
    }  # fmt: skip
    shares = {
        name: st.column_config.NumberColumn(format="%.1f", help="Parameters over those of this group.")
        for name in table.columns
        if name.startswith("% of ")
    }
    st.dataframe(
        table, hide_index=True, width="stretch", height=min(460, 38 + 35 * len(table)), placeholder="",
        column_config=formats | shares, key=f"methods_table-{kind.key}",
    )  # fmt: skip
