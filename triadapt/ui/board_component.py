"""The live board as a Streamlit component."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import streamlit as st

from triadapt.ui.static_files import publish

# Loads a component's modules from the server's static files. Streamlit calls this with every new data; calls are passed
# on in order once the module is there.
LOADER = """
let module = null;
export default function (component) {
  module ??= import(new URL(%s, window.location.origin).href);
  const mounted = module.then((board) => board.default(component));
  mounted.catch((error) => { component.parentElement.textContent = `This part did not load: ${error.message}`; });
  return () => { mounted.then((unmount) => unmount && unmount(), () => {}); };
}
"""


def static_url(part: str = "board") -> tuple[str, str]:
    """Path of the app's static files on the server, and a component's folder in it."""
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}/app/static" if base else "/app/static", publish(part)


@functools.cache
def component(name: str, script: str, static: str, folder: str) -> Callable[..., Any]:
    """The Streamlit component `name` whose entry is `script`, a file in `folder` of the static files."""
    path = f"{static}/{folder}/{script}"
    return st.components.v2.component(name, js=LOADER % json.dumps(path), isolate_styles=False)


def board(frame: bytes, *, key: str) -> None:
    """Show the board with one frame of `views.board.board_frame`."""
    draw = component("triadapt_board", "board.js", *static_url())
    draw(data=frame, key=key, on_have_change=lambda: None)


def held_copy(key: str) -> str:
    """The copy (`Delivery.copy`) that the board with this key holds, nothing of it missing; empty if there is none."""
    return str((st.session_state.get(key) or {}).get("have") or "")
