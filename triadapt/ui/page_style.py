"""What every page begins with: spacing, and an early start for what the board will need."""

from __future__ import annotations

import streamlit as st

from triadapt.ui.board_component import static_url

# Streamlit fades what a script is about to draw anew. For the board that is twice a second, and the mere start of a
# fade makes the browser paint all of it again.
_STYLE = """<style>
[data-testid="stMainBlockContainer"] { padding: 4.3rem 2.2rem 1rem; max-width: 1700px; }
[data-testid="stSidebarUserContent"] { padding-bottom: 1.5rem; }
.st-key-board { opacity: 1 !important; transition: none !important; }
/* The room of the button that its component draws a moment later. */
.st-key-tour { min-width: 4rem; min-height: 2.5rem; }
[data-testid="stSidebarHeader"] { height: 2.2rem; padding-block: 0.3rem; margin-bottom: 0; }
@media (max-width: 900px) {
  .st-key-own_sides > [data-testid="stLayoutWrapper"] > [data-testid="stHorizontalBlock"] { flex-wrap: wrap; }
  .st-key-own_sides > [data-testid="stLayoutWrapper"] > [data-testid="stHorizontalBlock"] > [data-testid="stColumn"] {
    min-width: 100%;
  }
}
@media (max-width: 640px) {
  [data-testid="stMainBlockContainer"] { padding: 4.3rem 0.8rem 1rem; }
  .st-key-buttons { gap: 0.5rem; }
  .st-key-buttons kbd { display: none; }
}
</style>"""


# The board's modules are small and are wanted first; Plotly, which takes a second to run, waits until they have drawn.
_EARLY = """<script>
for (const name of ["board", "first_look", "frames", "theme", "rankmap"]) {
  const href = new URL(`%(static)s/%(folder)s/${name}.js`, window.location.origin).href;
  if (document.querySelector(`link[href="${href}"]`)) continue;
  document.head.append(Object.assign(document.createElement("link"), { rel: "modulepreload", href }));
}
</script>"""


def begin_page(script: str = "") -> None:
    """Reduce the empty space around the page and start loading the board. Call once a script run, before all else.

    script: HTML of one more script, the same in all runs of a session.
    """
    static, folder = static_url()
    st.html(_STYLE + _EARLY % {"static": static, "folder": folder} + script, unsafe_allow_javascript=True)
