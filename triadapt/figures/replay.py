"""A replay page: the live board and one frame in a single file that opens offline, without a server."""

from __future__ import annotations

import base64
import html
import re
from pathlib import Path

from plotly.offline import get_plotlyjs

BOARD = Path(__file__).parent.parent / "ui" / "board"
# Each file after those it imports; load_plotly.js and first_look.js, which only a server
# needs, are left out.
SCRIPTS = (
    "frames.js", "theme.js", "parts.js", "effective.js", "used_rank.js", "rankmap.js", "curves.js", "why_words.js",
    "slow_motion.js", "why.js", "spectrum.js", "matrix.js", "importance_series.js", "importance.js", "history.js",
    "scrubber.js", "chips.js", "health.js", "board.js",
)  # fmt: skip

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 0; padding: 16px; font-family: system-ui, sans-serif; background: #fff; color: #31333f; }}
h1 {{ font-size: 20px; margin: 0 0 12px; }}
main {{ max-width: 1500px; margin: 0 auto; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #0e1117; color: #fafafa; }} }}
{style}
</style>
<script>{plotly}</script>
</head>
<body>
<main><h1>{title}</h1><div id="board"></div></main>
<script>
"use strict";
(() => {{
{script}
const bytes = Uint8Array.from(atob("{frame}"), (letter) => letter.charCodeAt(0));
window.board = new Board(document.getElementById("board"), window.Plotly, {{autoplay: true}});
window.board.push(bytes);
}})();
</script>
</body>
</html>
"""


def replay_html(frame: bytes, *, title: str) -> str:
    """One self-contained page (about 5 MB, nearly all of it Plotly) that shows `frame` and can be scrubbed and played.

    frame: a full frame from `views.board.board_frame`; it plays by itself where every run's state is `recorded`.
    """
    return _PAGE.format(
        title=html.escape(title),
        style=_inline(BOARD.joinpath("board.css").read_text(encoding="utf-8"), "style"),
        plotly=_inline(get_plotlyjs(), "script"),
        script=_inline(classic_script(), "script"),
        frame=base64.b64encode(frame).decode("ascii"),
    )


def classic_script() -> str:
    """The board's modules joined into one classic script: imports dropped, `export` taken off."""
    text = "\n".join(BOARD.joinpath(name).read_text(encoding="utf-8") for name in SCRIPTS)
    text = re.sub(r'^import \{[^}]*\} from "\./[^"]+";\n', "", text, flags=re.MULTILINE)
    return re.sub(r"^export (?:default )?", "", text, flags=re.MULTILINE)


def _inline(text: str, element: str) -> str:
    """Keeps a closing tag inside the text from ending the element; `<\\/` means the same inside a JavaScript string."""
    return re.sub(rf"</(?={element})", r"<\\/", text, flags=re.IGNORECASE)
