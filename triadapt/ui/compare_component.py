"""The comparison as a Streamlit component."""

from __future__ import annotations

import streamlit as st

from triadapt.ui.board_component import component, static_url
from triadapt.ui.static_files import BOARD

# What the comparison imports of the board and of the replay page's drawer.
_SHARED = (
    "board_view", "effective", "frames", "load_plotly", "parts", "pictures", "rankmap", "theme", "thinning",
    "time_axis", "used_rank", "axes", "traces", "plot",
)  # fmt: skip
# Two rows of chosen runs are in sight; two dozen would push the maps off the screen.
_PRELOAD = """<style>
.st-key-compare_pick div:has(> [data-testid="stMultiSelectTagsContainer"]) { max-height: 76px; overflow-y: auto; }
</style><script>
for (const name of %(names)s) {
  const href = new URL(`%(static)s/%(folder)s/${name}.js`, window.location.origin).href;
  if (document.querySelector(`link[href="${href}"]`)) continue;
  document.head.append(Object.assign(document.createElement("link"), { rel: "modulepreload", href }));
}
</script>"""


def preload_comparison() -> None:
    """Let the browser fetch the comparison's scripts while the server reads the runs."""
    static, folder = static_url()
    own = sorted(f"compare/{path.stem}" for path in (BOARD / "compare").glob("*.js"))
    html = _PRELOAD % {"names": [*own, *_SHARED], "static": static, "folder": folder}
    st.html(html, unsafe_allow_javascript=True)


def comparison(frame: bytes, *, key: str) -> None:
    """Show what `views.compare.frame.compare_frame` made."""
    component("triadapt_compare", "compare/compare.js", *static_url())(data=frame, key=key)
