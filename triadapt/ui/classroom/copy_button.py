"""A button that copies a text, also where the browser keeps its clipboard from pages without TLS."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import streamlit as st

_SCRIPT = """
export default function ({ parentElement, data }) {
  let button = parentElement.querySelector("button");
  if (!button) {
    button = document.createElement("button");
    button.type = "button";
    parentElement.append(button);
  }
  button.textContent = data.label;
  button.onclick = async () => {
    try {
      await navigator.clipboard.writeText(data.text);
    } catch {
      const field = document.createElement("textarea");
      field.value = data.text;
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    button.textContent = data.done;
    setTimeout(() => { button.textContent = data.label; }, 1500);
  };
}
"""
_STYLE = """
button { font: inherit; cursor: pointer; min-height: 2.5rem; padding: 0.25rem 0.75rem; border-radius: 0.5rem;
  color: var(--st-text-color); background: var(--st-background-color); border: 1px solid var(--st-border-color); }
button:hover, button:focus-visible { color: var(--st-primary-color); border-color: var(--st-primary-color); }
"""


@functools.cache
def _component() -> Callable[..., Any]:
    return st.components.v2.component("triadapt_copy", js=_SCRIPT, css=_STYLE)


def copy_button(text: str, *, label: str, key: str) -> None:
    """Draw it. label: what is on the button."""
    _component()(data={"text": text, "label": label, "done": "Copied"}, key=key, width="content")
