"""The classes of a folder of runs: one small file a class, `classes/CODE.toml`."""

from __future__ import annotations

import functools
import os
import tempfile
from pathlib import Path

import tomli_w

from triadapt.classroom.names import checked_code, is_code
from triadapt.classroom.settings import ClassSettings, parse_class
from triadapt.config import ConfigError, load_toml
from triadapt.runs.info import RunError

FOLDER = "classes"


def class_file(runs: Path, code: str) -> Path:
    """Where a class is kept. Raises RunError for a code that is none."""
    return runs / FOLDER / f"{checked_code(code)}.toml"


def list_classes(runs: Path) -> list[str]:
    """Codes of the classes that are there, the newest first."""
    found = [path for path in (runs / FOLDER).glob("*.toml") if is_code(path.stem)]
    return [path.stem for path in sorted(found, key=_changed, reverse=True)]


def read_class(runs: Path, code: str) -> ClassSettings:
    """What the teacher set. Cheap to ask again. Raises RunError, in one line, when there is no such class or its file
    is damaged."""
    path = class_file(runs, code)
    try:
        found = path.stat()
    except OSError:
        raise RunError(f"class = {code!r}: there is none of that code here") from None
    try:
        return _read(path, found.st_mtime_ns, found.st_size, found.st_ino)
    except ConfigError as error:
        raise RunError(f"class {code} is damaged, {error.lines[0]}; save it again or delete {path.name}") from None


def write_class(runs: Path, code: str, settings: ClassSettings) -> None:
    """Keep a class, in place of what was there, all of it or nothing. Raises RunError, OSError."""
    path = class_file(runs, code)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{code}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(tomli_w.dumps(settings.model_dump()))
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@functools.lru_cache(maxsize=64)
def _read(path: Path, changed: int, size: int, node: int) -> ClassSettings:
    """changed, size, node: tell one state of the file from the next."""
    return parse_class(load_toml(path))


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
