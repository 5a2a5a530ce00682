"""Is the process that owns a run still alive? A process number alone does not tell: numbers are used again."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

STALE_SECONDS = 30.0


@dataclass(frozen=True)
class Owner:
    """A process: host, number, and a text that differs when the number is given to another process."""

    host: str
    pid: int
    started: str


@cache
def _here() -> str:
    return socket.gethostname()


@cache
def _boot() -> str | None:
    """What tells one start of this machine from another; None where there is no /proc."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None


def this_process() -> Owner:
    """The owner that stands for the calling process."""
    return Owner(_here(), os.getpid(), _start_of(os.getpid()) or "")


def is_alive(owner: Owner | None, heartbeat: float, now: float | None = None) -> bool:
    """Whether `owner` lives. `heartbeat` and `now` are seconds since 1970.

    On this host the process is looked up; on another host, or where processes cannot be looked up, a heartbeat of the
    last 30 seconds is taken as life.
    """
    if owner is None:
        return False
    if owner.host != _here() or not owner.started:
        return (time.time() if now is None else now) - heartbeat <= STALE_SECONDS
    return _start_of(owner.pid) == owner.started


def _start_of(pid: int) -> str | None:
    """When process `pid` started, as text; None when there is no such process or no way to know."""
    boot = _boot()
    if boot is not None:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        # The name in parentheses may hold blanks; the fields after it are: state, ..., start in ticks (22nd of all).
        values = stat.rpartition(")")[2].split()
        return None if values[0] in "ZX" else f"{boot}/{values[19]}"
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else repr(process.create_time())
    except psutil.Error:
        return None
