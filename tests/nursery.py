"""Python processes that need not import torch first: forked from one that has, and has done nothing else.

A test that starts many trainings, to kill them, pays for the imports once. What is forked is a process of its own in
every other respect: its memory, its files, its death.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import IO, Any

BYTES = 65536


class Nursery:
    """Starts processes for `command`s of the form [python, "-m", module, ...] or [python, script, ...]."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno()), *modules], pass_fds=[theirs.fileno()]
        )
        theirs.close()

    def close(self) -> None:
        """No process will be started any more."""
        self._socket.close()
        self._process.wait(60)

    def popen(
        self, command: Sequence[str], *, stdin: int | None = None, stdout: int | None = None,
        stderr: IO[Any] | None = None, start_new_session: bool = False, env: dict[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Forked:  # fmt: skip
        """As `subprocess.Popen`: stdin and stdout may be pipes, and stdout, stderr a file."""
        told = {
            "command": list(command[1:]), "session": start_new_session, "env": env or dict(os.environ),
            "cwd": str(cwd or Path.cwd()),
        }  # fmt: skip
        null = os.open(os.devnull, os.O_RDWR)
        in_read, in_write = os.pipe() if stdin == subprocess.PIPE else (os.dup(null), None)
        out_read, out_write = os.pipe() if stdout == subprocess.PIPE else (None, os.dup(null))
        errors = os.dup(stderr.fileno()) if stderr is not None else os.dup(null)
        status_read, status_write = os.pipe()
        theirs = [in_read, out_write, errors, status_write]
        socket.send_fds(self._socket, [json.dumps(told).encode()], theirs)
        for one in (*theirs, null):
            os.close(one)
        return Forked(status_read, in_write, out_read)

    def run(self, command: Sequence[str], *, cwd: Path | None = None) -> tuple[int, str]:
        """Returns exit code and what was said on stderr."""
        with tempfile.TemporaryFile("w+") as errors:
            code = self.popen(command, stderr=errors, cwd=cwd).wait()
            errors.seek(0)
            return code, errors.read()


class Forked:
    """A process as its parent has it; of `subprocess.Popen` what is needed here."""

    def __init__(self, status: int, stdin: int | None, stdout: int | None) -> None:
        self.returncode: int | None = None
        self.stdin = None if stdin is None else os.fdopen(stdin, "wb")
        self.stdout = None if stdout is None else os.fdopen(stdout, "rb")
        self._status, self._lock = status, threading.Lock()
        weakref.finalize(self, os.close, status)
        self.pid = int(os.read(status, 10))

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, once it has one; negative for a signal. Raises TimeoutExpired."""
        # Ready when the code has come, and ever after: the other end is closed then.
        if not select.select([self._status], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        with self._lock:
            if self.returncode is None:
                self.returncode = int(os.read(self._status, 10))
        return self.returncode

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def kill(self) -> None:
        """SIGKILL, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def _child(told: dict[str, Any], places: list[int]) -> Callable[[], None]:
    """In the new process: become what was asked for. Returns its main program."""
    if told["session"]:
        os.setsid()
    for fd, place in enumerate(places[:3]):
        os.dup2(place, fd)
    for place in places:
        os.close(place)
    os.environ.clear()
    os.environ.update(told["env"])
    os.chdir(told["cwd"])
    sys.path += [place for place in told["env"].get("PYTHONPATH", "").split(os.pathsep) if place not in sys.path]
    what, *rest = told["command"]
    if what == "-m":
        sys.path[0] = told["cwd"]
        sys.argv = rest
        return lambda: runpy.run_module(rest[0], run_name="__main__", alter_sys=True) and None
    sys.path[0] = str(Path(what).parent)
    sys.argv = [what, *rest]
    return lambda: runpy.run_path(what, run_name="__main__") and None


def _serve(orders: socket.socket) -> Callable[[], None] | None:
    """Fork for every order. Returns the main program in a child, None in the nursery when nobody asks any more."""
    alarm, ring = os.pipe()
    os.set_blocking(ring, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(ring)
    statuses: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([orders, alarm], [], [])
        if alarm in ready:
            os.read(alarm, BYTES)
        for pid in list(statuses):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                place = statuses.pop(pid)
                with contextlib.suppress(BrokenPipeError):
                    os.write(place, b"%10d" % os.waitstatus_to_exitcode(status))
                os.close(place)
        if orders not in ready:
            continue
        message, places, _, _ = socket.recv_fds(orders, BYTES, 4)
        if not message:
            return None
        pid = os.fork()
        if not pid:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for place in (orders.detach(), alarm, ring, *statuses.values()):
                os.close(place)
            return _child(json.loads(message), places)
        os.write(places[3], b"%10d" % pid)
        statuses[pid] = places[3]
        for place in places[:3]:
            os.close(place)


if __name__ == "__main__":
    for name in sys.argv[2:]:
        module, _, function = name.partition(":")
        found = import_module(module)
        if function:
            getattr(found, function)()
    gc.freeze()  # what is imported stays shared, and no child looks through it
    main = _serve(socket.socket(fileno=int(sys.argv[1])))
    if main is not None:
        main()
