"""What a study's folder says beside its trials: the state its coordinator is in, and what the user wants of it.

    sweep.toml    the configuration; replaced when points or seeds are added, which the coordinator notices
    study.db      Optuna's storage: the trials
    state.json    written by the coordinator alone, whole or not at all
    order         one word, written by whoever watches: go, pause or stop
    lock          held by the coordinator as long as it lives, so that a study has one
    change.lock   held by whoever changes the configuration

A coordinator that dies writes nothing. Its process is named in `state.json`, and when that is gone the study reads as
`interrupted`.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, get_args

from filelock import FileLock, Timeout

from triadapt.config import read_toml
from triadapt.runs.liveness import Owner, is_alive, this_process
from triadapt.sweeps.config import SweepConfig, parse_sweep
from triadapt.sweeps.record import STUDY_STATES, StudyError, StudyInfo

CONFIG_FILE = "sweep.toml"
STATE_FILE = "state.json"
ORDER_FILE = "order"
LOCK_FILE = "lock"
FORMAT = 1

Order = Literal["go", "pause", "stop"]


def read_config(folder: Path) -> SweepConfig:
    """The study's configuration. Raises StudyError."""
    try:
        return parse_sweep(read_toml((folder / CONFIG_FILE).read_text(encoding="utf-8")))
    except OSError as error:
        raise StudyError(f"{folder.name}: {CONFIG_FILE} cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise StudyError(f"{folder.name}: {CONFIG_FILE} is not valid any more: {error}") from error


def write_config(folder: Path, config: SweepConfig) -> None:
    """Replace the study's configuration."""
    _replace(folder / CONFIG_FILE, config.to_toml())


def read_info(folder: Path) -> StudyInfo:
    """The study at a glance; a damaged one gives `state="damaged"` and says why in `message`. Never raises."""
    try:
        values = json.loads((folder / STATE_FILE).read_text(encoding="utf-8"))
        if values.pop("format") != FORMAT:
            raise ValueError(f"written in another format than {FORMAT}")
        owner, heartbeat = Owner(**values.pop("owner")), float(values.pop("heartbeat"))
        info = StudyInfo(id=folder.name, folder=folder, **values)
        if info.state not in STUDY_STATES:
            raise ValueError(f"unknown state {info.state!r}")
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        line = " ".join(str(error).split()) or type(error).__name__
        return StudyInfo(id=folder.name, message=f"{STATE_FILE}: {line}", folder=folder)
    if info.live and not is_alive(owner, heartbeat):
        return StudyInfo(**{**info.__dict__, "state": "interrupted"})
    return info


def write_info(folder: Path, info: StudyInfo, heartbeat: float) -> None:
    """Say how the study stands, with the calling process as its owner. heartbeat: seconds since 1970."""
    values: dict[str, Any] = {name: value for name, value in info.__dict__.items() if name not in ("id", "folder")}
    stamp = {"format": FORMAT, "owner": asdict(this_process()), "heartbeat": heartbeat}
    _replace(folder / STATE_FILE, json.dumps(values | stamp))


def give_order(folder: Path, order: Order) -> None:
    """Tell the study's coordinator what to do. pause: stop the trials that run, with checkpoints, and wait. go: go on
    after a pause. stop: end the study for now; it can be resumed."""
    _replace(folder / ORDER_FILE, order)


def read_order(folder: Path) -> Order:
    """What was ordered last; `go` where nothing was."""
    try:
        text = (folder / ORDER_FILE).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return "go"
    return next((order for order in get_args(Order) if order == text), "go")


class StudyHeld(StudyError):
    """Another process runs the study."""


@contextmanager
def sole_coordinator(folder: Path, wait: float = 0.0) -> Iterator[None]:
    """Hold the study's lock, which the system frees when this process dies. Raises StudyHeld when it is not free within
    `wait` seconds."""
    lock = FileLock(folder / LOCK_FILE)
    try:
        lock.acquire(timeout=wait)
    except Timeout:
        raise StudyHeld(f"{folder.name} has a coordinator already; stop it, or wait for its end") from None
    try:
        yield
    finally:
        lock.release()


def _replace(path: Path, text: str) -> None:
    """Write a small file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")  # threads of one server may write it at a time
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
