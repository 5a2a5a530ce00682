"""The methods page: how good each method is for its price, and what each is."""

import streamlit as st

from triadapt.ui.front_door import through_front_door
from triadapt.ui.manager import manager
from triadapt.ui.methods.choices import enter_methods, went_back_or_forward, write_choice
from triadapt.ui.methods.method_cards import method_cards
from triadapt.ui.methods.price_and_quality import price_and_quality
from triadapt.ui.visits import on_entering

PRICE, CARDS = "Price and quality", "Method cards"
TAB = "methods_tab"

through_front_door("pages/methods.py")
on_entering("methods", enter_methods)

st.subheader("Methods")
wanted = CARDS if st.query_params.get("tab") == "cards" or "card" in st.query_params else PRICE
if went_back_or_forward():
    st.session_state[TAB] = wanted
price, cards = st.tabs([PRICE, CARDS], default=wanted, key=TAB, on_change="rerun")
# Only the tab on view runs.
write_choice("tab", "cards" if cards.open else None, None)
if price.open:
    write_choice("card", None, None)
    with price:
        price_and_quality(manager().runs)
if cards.open:
    with cards:
        method_cards()
