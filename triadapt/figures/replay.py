"""A replay page: the live board with a drawer of its own in place of Plotly, in one small file that opens offline."""

from __future__ import annotations

import base64
import html
import re
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from string import Template

from triadapt.events import Stamped
from triadapt.methods.registry import METHODS
from triadapt.runs.info import RunInfo
from triadapt.tasks.registry import KNOWN_TASKS
from triadapt.views.replay import left_out, replay_frame, settings_table

BOARD = Path(__file__).parent.parent / "ui" / "board"
PAGE = Path(__file__).parent / "replay_page"
# Each file after those it imports; what only a server or Plotly needs is left out.
BOARD_SCRIPTS = (
    "frames.js", "pictures.js", "theme.js", "thinning.js", "pace.js", "parts.js", "tail.js", "time_axis.js",
    "time_chart.js", "board_view.js", "effective.js", "used_rank.js", "rankmap.js", "budget_curve.js", "curves.js",
    "need_words.js", "why_words.js", "slow_words.js", "slow_motion.js", "why_all.js", "why.js", "spectrum.js",
    "core.js", "matrix.js", "importance_series.js", "importance.js", "history.js", "scrubber.js", "chips.js",
    "health.js", "empty_words.js", "shared.js", "board.js",
)  # fmt: skip
PAGE_SCRIPTS = ("axes.js", "traces.js", "plot.js", "start.js")


def race_replay(runs: Sequence[tuple[RunInfo, Sequence[Stamped]]]) -> str:
    """The page of a run, or of the runs of a race. At most 2 MB (`views.replay.DETAILS`); says what was left out."""
    view = runs[0][0].race or runs[0][0].id
    frame, detail = replay_frame(view, [(info.id, info.generation, rows) for info, rows in runs])
    info = runs[0][0]
    task = KNOWN_TASKS[info.task].label if info.task in KNOWN_TASKS else info.task
    made = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(info.created)) if info.created else ""
    ends = [f"{one.method}: {one.state}, {one.error}" for one, _ in runs if one.error]
    facts = [view, task, made, f"triadapt {version('triadapt')}", *ends]
    missing = left_out(detail, [rows for _, rows in runs])
    return replay_html(
        frame,
        title=info.name or info.id,
        facts=[fact for fact in facts if fact],
        labels=[METHODS[one.method].label if one.method in METHODS else one.method for one, _ in runs],
        settings=settings_table([one.config for one, _ in runs]),
        note=f"To keep the file small: {'; '.join(missing)}." if missing else "",
    )


def replay_html(
    frame: bytes,
    *,
    title: str,
    facts: Sequence[str] = (),
    labels: Sequence[str] = (),
    settings: Sequence[tuple[str, Sequence[str]]] = (),
    note: str = "",
) -> str:
    """One self-contained page that shows `frame`, plays it and can be scrubbed.

    frame: gzipped, from `views.replay.replay_frame`. labels: names of the runs. settings: rows of the table of the
    configuration, with one value or one a run. All text is escaped.
    """
    return Template(PAGE.joinpath("replay.html").read_text(encoding="utf-8")).substitute(
        title=html.escape(title),
        facts=html.escape(" · ".join(facts)),
        version=html.escape(version("triadapt")),
        settings=_settings(labels, settings),
        notes=html.escape(note),
        style=_inline(_read(BOARD / "board.css") + _read(PAGE / "replay.css"), "style"),
        script=_inline(classic_script(), "script"),
        frame=base64.b64encode(frame).decode("ascii"),
    )


def _settings(labels: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    def cells(values: Sequence[str]) -> str:
        span = f' colspan="{len(labels)}"' if len(values) == 1 and len(labels) > 1 else ""
        return "".join(f"<td{span}>{html.escape(value)}</td>" for value in values)

    head = "".join(f"<th>{html.escape(label)}</th>" for label in labels)
    body = "\n".join(f"<tr><td>{html.escape(name)}</td>{cells(values)}</tr>" for name, values in rows)
    return f"<table><thead><tr><th></th>{head}</tr></thead>\n<tbody>{body}</tbody></table>"


def classic_script() -> str:
    """The board's modules and the page's own joined into one classic script: imports dropped, `export` taken off."""
    paths = [*(BOARD / name for name in BOARD_SCRIPTS), *(PAGE / name for name in PAGE_SCRIPTS)]
    text = "\n".join(_read(path) for path in paths)
    text = re.sub(r'^import \{[^}]*\} from "\./[^"]+";\n', "", text, flags=re.MULTILINE)
    text = re.sub(r"^export (?:default )?", "", text, flags=re.MULTILINE)
    # A comment of a line of its own says nothing to a browser.
    return re.sub(r"^\s*//.*\n", "", text, flags=re.MULTILINE)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _inline(text: str, element: str) -> str:
    """Keeps a closing tag inside the text from ending the element; `<\\/` means the same inside a JavaScript string."""
    return re.sub(rf"</(?={element})", r"<\\/", text, flags=re.IGNORECASE)
