"""Asks the browser what its address says of the board.

The board writes there by itself (`ui/board/board_view.js`), and with its requests Streamlit sends the address that it
last knew. Drawn where the answer is wanted, this costs one message, and none while it is not.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import streamlit as st

STEP, RUN = "v.at", "v.focus"

_SCRIPT = """
export default function ({ parentElement, data, setStateValue }) {
  if (parentElement.asked) return;
  parentElement.asked = true;
  const address = new URLSearchParams(window.location.search);
  const found = Object.fromEntries(data.filter((name) => address.has(name)).map((name) => [name, address.get(name)]));
  if (Object.keys(found).length) setStateValue("found", found);
}
"""


@functools.cache
def _component() -> Callable[..., Any]:
    return st.components.v2.component("triadapt_address", js=_SCRIPT, isolate_styles=False)


def board_on_view(key: str) -> tuple[int | None, str]:
    """Step and run that are looked at on the board: None where it follows the end, "" where no run was chosen, both
    until the browser has answered; then the script runs again."""
    found = getattr(_component()(data=[STEP, RUN], key=key, on_found_change=lambda: None), "found", None)
    found = found if isinstance(found, dict) else {}
    step, run = str(found.get(STEP, "")), str(found.get(RUN, ""))
    return int(step) if step.isascii() and step.isdigit() and len(step) < 10 else None, run
