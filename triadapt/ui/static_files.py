"""Puts the board's scripts and plotly.js where the server serves them as files."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
import shutil
import tempfile
from pathlib import Path

BOARD = Path(__file__).parent / "board"
# The drawer of the replay page, which the comparison draws its charts with until the mouse comes to one.
DRAWER = tuple(
    Path(__file__).parent.parent / "figures" / "replay_page" / name for name in ("axes.js", "traces.js", "plot.js")
)
STATIC = Path(__file__).parent.parent.parent / "static"


@functools.cache
def publish(static: Path = STATIC) -> str:
    """Make sure `static` holds plotly.js and this version of the board. Returns the board's folder name.

    The folder is named for the hash of its files and of plotly's version, so a browser never mixes versions.
    """
    files = {path.relative_to(BOARD).as_posix(): path for path in BOARD.rglob("*") if path.suffix in (".js", ".css")}
    files |= {path.name: path for path in DRAWER}
    digest = hashlib.sha256(importlib.metadata.version("plotly").encode())
    for file, path in sorted(files.items()):
        digest.update(file.encode() + path.read_bytes())
    name = f"board-{digest.hexdigest()[:12]}"
    if (static / name).is_dir() and (static / "plotly.min.js").is_file():
        return name
    static.mkdir(parents=True, exist_ok=True)
    _write_plotly(static)
    for old in static.glob("board-*"):
        shutil.rmtree(old, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=static, prefix=".board-") as workshop:
        fresh = Path(workshop) / name
        fresh.mkdir()
        for file, path in files.items():
            (fresh / file).parent.mkdir(exist_ok=True)
            shutil.copyfile(path, fresh / file)
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
