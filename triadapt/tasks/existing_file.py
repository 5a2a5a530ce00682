"""A file of the user's, there and of a size that can be read."""

from __future__ import annotations

from pathlib import Path

from triadapt.errors import ConfigError

LARGEST_BYTES = 2 * 1024**3


def existing_path(what: str, name: str) -> Path:
    """The file or folder `name`. what: begins the line, such as `qa.train = 'a.json'`. Raises ConfigError."""
    try:
        path = Path(name).expanduser()
        found = path.exists()
    except (OSError, ValueError, RuntimeError) as error:  # a name too long, a NUL in it, `~nobody`
        told = getattr(error, "strerror", None) or str(error)
        raise ConfigError([f"{what}: cannot be read ({told})"]) from None
    if not found:
        raise ConfigError([f"{what}: no such file"])
    return path


def existing_file(what: str, name: str) -> Path:
    """The file `name`, not empty and of at most 2 GiB. what: begins the line. Raises ConfigError."""
    path = existing_path(what, name)
    if not path.is_file():
        raise ConfigError([f"{what}: is a folder; name a file in it" if path.is_dir() else f"{what}: no such file"])
    size = path.stat().st_size
    if not size:
        raise ConfigError([f"{what}: is empty"])
    if size > LARGEST_BYTES:
        raise ConfigError([f"{what}: {size / 1024**3:.1f} GiB, the limit is 2; cut it to what you need"])
    return path


def stamp(name: str) -> object:
    """What changes when the file does; None where there is none."""
    try:
        status = Path(name).expanduser().stat()
    except (OSError, ValueError, RuntimeError):
        return None
    return status.st_mtime_ns, status.st_size
