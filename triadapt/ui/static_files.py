"""Puts scripts and plotly.js where the server serves them as files."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path

UI = Path(__file__).parent
BOARD = UI / "board"
# The drawer of the replay page, which the comparison draws its charts with until the mouse comes to one.
DRAWER = tuple(UI.parent / "figures" / "replay_page" / name for name in ("axes.js", "traces.js", "plot.js"))
STATIC = UI.parent.parent / "static"
# What the published folder of each component holds: its own files, and those of others in a folder beside them.
PARTS: dict[str, Mapping[str, Path]] = {
    "board": {"": BOARD},
    "lab": {"lab": UI / "lab", "board": BOARD},
    "learn": {"learn": UI / "learn", "lab": UI / "lab", "board": BOARD},
    "tour": {"": UI / "tour"},
}

KEPT_SECONDS = 14 * 24 * 3600.0
# The first visitors of a server may all come at once, each in a thread of its own.
_PUBLISHING = threading.Lock()


@functools.cache
def publish(part: str = "board", static: Path = STATIC) -> str:
    """Make sure `static` holds this version of a component, and plotly.js if it needs it. Returns its folder's name.

    The folder is named for the hash of its files and of plotly's version, so a browser never mixes versions.
    """
    with _PUBLISHING:
        return _publish(part, static)


def _publish(part: str, static: Path) -> str:
    files = {
        Path(place) / path.relative_to(source): path
        for place, source in PARTS[part].items()
        for path in sorted(source.rglob("*"))
        if path.suffix in (".js", ".css")
    }
    if part == "board":
        files |= {Path(path.name): path for path in DRAWER}
    digest = hashlib.sha256(importlib.metadata.version("plotly").encode())
    for place, path in files.items():
        digest.update(place.as_posix().encode() + path.read_bytes())
    name = f"{part}-{digest.hexdigest()[:12]}"
    draws_with_plotly = part == "board"
    if (static / name).is_dir() and (not draws_with_plotly or (static / "plotly.min.js").is_file()):
        return name
    static.mkdir(parents=True, exist_ok=True)
    if draws_with_plotly:
        _write_plotly(static)
    for old in static.glob(f"{part}-*"):
        # A server that was started before an update still sends its visitors there.
        if time.time() - old.stat().st_mtime > KEPT_SECONDS:
            shutil.rmtree(old, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=static, prefix=f".{part}-") as workshop:
        fresh = Path(workshop) / name
        for place, path in files.items():
            (fresh / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, fresh / place)
        try:
            os.replace(fresh, static / name)
        except OSError:  # another server of the same checkout was faster
            if not (static / name).is_dir():
                raise
    return name


def _write_plotly(static: Path) -> None:
    # Imported here: it takes a third of a second, and is needed once an installation.
    from plotly.offline import get_plotlyjs  # noqa: PLC0415

    partial = static / f".plotly-{os.getpid()}"
    partial.write_text(get_plotlyjs(), encoding="utf-8")
    os.replace(partial, static / "plotly.min.js")
