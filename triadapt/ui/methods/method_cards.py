"""The second part of the Methods page: what each method is, how large, when to choose it and when not."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from triadapt.growth.target_matrices import TargetMatrices
from triadapt.methods.card import Card
from triadapt.methods.registry import AT_FIRST, METHODS
from triadapt.ui.classroom.rules import shows_page
from triadapt.ui.markdown import plain
from triadapt.ui.methods.choices import forget_problem, say_problem, take_wish, write_choice
from triadapt.views.methods.card_sizes import MOST_RANK, Size, models, sizes
from triadapt.views.methods.standing import REFERENCE, share

CARD, MODEL, RANK = "methods_card", "methods_model", "methods_rank"
FIRST_RANK = 8
ALLOCATIONS = {
    "grows": "Ranks grow during training.", "prunes": "Ranks shrink during training.",
    "freezes": "Parts freeze during training.", "fixed": "Its size stays the same.",
}  # fmt: skip


def method_cards() -> None:
    """Draw it."""
    take_wish("card", CARD, METHODS, None)
    say_problem("card")
    chosen = st.pills(
        "Method", list(METHODS), key=CARD, persist_state="page", format_func=lambda name: METHODS[name].label,
        on_change=forget_problem, args=("card",),
        help="Whose card is shown; none: all of them at a glance.",
    )  # fmt: skip
    write_choice("card", chosen, None)
    known = models()
    of, at = st.columns(2)
    model = of.selectbox(
        "Sizes for", list(known), key=MODEL, persist_state="page", help="Over whose matrices parameters are counted."
    )
    rank = at.slider(
        "Budget", 1, MOST_RANK, FIRST_RANK, key=RANK, persist_state="page",
        help="Average rank a matrix (reference rank), for methods whose size follows from it.",
    )  # fmt: skip
    counted = sizes(rank, known[model])
    if chosen is None:
        _glance(counted)
    else:
        _card(chosen, METHODS[chosen].method_card(), counted, known[model])


def _glance(counted: dict[str, Size]) -> None:
    st.markdown("##### All methods at a glance")
    lora = counted[REFERENCE].parameters
    rows = []
    for name, spec in METHODS.items():
        card, size = spec.method_card(), counted[name].parameters
        rows.append({
            "Method": spec.label, "Formula": card.formula, "Parameters": size,
            "% of LoRA's": 100 * size / lora if size and lora else None, "What adapts": card.adapts,
            "Source": card.source,
        })  # fmt: skip
    st.dataframe(
        pd.DataFrame(rows), hide_index=True, width="stretch", height=38 + 35 * len(rows), placeholder="",
        column_config={
            "Parameters": st.column_config.NumberColumn(
                format="localized", help="Trainable entries of the adapter over the matrices chosen above, at the end."
            ),
            "% of LoRA's": st.column_config.NumberColumn(format="%.1f"),
            "What adapts": st.column_config.TextColumn(width="large"),
            "Source": st.column_config.LinkColumn(display_text=r"https?://(?:www\.)?(.*)"),
        },
        key="methods_glance",
    )  # fmt: skip
    st.caption("Choose a method above for its card: what is fixed, when to choose it and when not to.")


def _card(name: str, card: Card, counted: dict[str, Size], matrices: TargetMatrices) -> None:
    spec = METHODS[name]
    st.markdown(f"##### {plain(spec.label)}")
    st.caption(plain(f"{spec.summary[:1].upper()}{spec.summary[1:]}. {ALLOCATIONS[spec.allocation]}"))
    what, size = st.columns(2)
    with what:
        st.markdown("**The change of a weight matrix**")
        st.code(card.formula, language=None, wrap_lines=True)
        st.markdown("**Trainable parameters of a matrix**")
        st.code(card.parameters, language=None, wrap_lines=True)
    with size:
        st.markdown(f"**Over these {matrices.count} matrices**")
        _bars(name, counted)
    for title, text in (
        ("What adapts", card.adapts), ("What is fixed", card.fixed), ("When to choose it", card.choose),
        ("When not to", card.avoid),
    ):  # fmt: skip
        st.markdown(f"**{title}.** {plain(text)}")
    for note in card.notes:
        st.markdown(f"- {plain(note)}")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.link_button(
            card.paper, card.source, icon=":material/article:", help="Opens the paper's page, on another host."
        )
        if shows_page("play"):
            _race(name)


def _bars(name: str, counted: dict[str, Size]) -> None:
    own, lora = counted[name], counted[REFERENCE].parameters
    if own.parameters is None:
        st.caption(f":material/warning: {plain(own.problem)}")
        return
    whole = max(own.parameters, lora or 0)
    part = f", {share(own.parameters, lora)} of LoRA's" if lora and name != REFERENCE else ""
    st.progress(own.parameters / whole, text=f"{plain(METHODS[name].label)}: {own.parameters:,}{part}")
    if lora and name != REFERENCE:
        st.progress(lora / whole, text=f"LoRA: {lora:,}")


def _race(name: str) -> None:
    methods = list(AT_FIRST) if name == REFERENCE else [REFERENCE, name]
    st.page_link(
        "pages/play.py", icon=":material/play_circle:", query_params={"method": methods},
        label="Race it against the others" if name == REFERENCE else "Race it against LoRA",
        help="Opens Play with these methods chosen; nothing starts by itself.",
    )  # fmt: skip
