"""Shows SVG text in the page itself, so that it takes the page's colours and is redrawn in place.

`st.html` takes SVG out, and `st.image` shows it as a picture that knows nothing of the theme.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import streamlit as st

_SCRIPT = """
export default function ({ parentElement, data }) {
  let place = parentElement.querySelector("[data-svg]");
  if (!place) {
    place = document.createElement("div");
    place.dataset.svg = "";
    place.style.color = "var(--st-text-color)";
    parentElement.append(place);
  }
  place.innerHTML = data;
}
"""


@functools.cache
def _component() -> Callable[..., Any]:
    return st.components.v2.component("triadapt_svg", js=_SCRIPT, isolate_styles=False)


def svg(text: str, *, key: str) -> None:
    """Draw trusted SVG text, made by this package, at the width of its place."""
    _component()(data=text, key=key)
