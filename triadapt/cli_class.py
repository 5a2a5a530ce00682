"""`triadapt class`: the app for a class, on the network, with a link for the teacher and one for students."""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from pathlib import Path

from triadapt.classroom.links import qr_terminal, student_link, teacher_link
from triadapt.classroom.names import checked_code, is_key, new_key
from triadapt.classroom.network import network_addresses
from triadapt.classroom.server import CODE, KEY
from triadapt.classroom.settings import parse_class
from triadapt.classroom.store import list_classes, read_class, write_class
from triadapt.runs.info import RunError
from triadapt.runs.library import ENVIRONMENT, runs_folder

APP = Path(__file__).parent.parent / "app.py"
START_SECONDS = 60.0
LARGEST_MESSAGE = 20  # in MB; what a browser may send


def add_class_command(command: argparse.ArgumentParser) -> None:
    """The options of `triadapt class`."""
    command.add_argument("--code", default="class", help="which class, of those kept with the runs; default class")
    command.add_argument("--title", help="what it is called")
    command.add_argument("--lesson", metavar="LESSON", help="lesson to open at")
    command.add_argument("--address", default="0.0.0.0", help="address to listen on; default: every one")
    command.add_argument("--port", default="8501", metavar="N", help="default 8501")
    command.set_defaults(command=serve_class)


def serve_class(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C. Returns the exit code of the app. Raises ConfigError, RunError, OSError."""
    if not APP.is_file():
        raise RunError(f"{APP.name} is not beside the package; run this in a checkout, or start Streamlit with {CODE}")
    runs, code = runs_folder(options.runs).absolute(), checked_code(options.code)
    _keep_class(runs, code, options)
    port = _free_port(options.address, options.port)
    key = os.environ.get(KEY, "") or new_key()
    if not is_key(key):
        raise RunError(f"{KEY}: give 16 to 64 letters, digits, dashes and underscores, or leave it unset")
    signal.signal(signal.SIGTERM, _end)
    process = subprocess.Popen(
        server_command(options.address, port), cwd=APP.parent, stdin=subprocess.DEVNULL,
        env={**os.environ, CODE: code, KEY: key, ENVIRONMENT: str(runs)},
    )  # fmt: skip
    try:
        _wait(process, options.address, port)
        _say(options, code, key, port)
        return process.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        process.terminate()
        process.wait()


def server_command(address: str, port: int) -> list[str]:
    """What serves the app. Files come by a request of their own and all else by the websocket: each has its bound."""
    command = [sys.executable, "-m", "streamlit", "run", str(APP), "--server.headless", "true"]
    command += ["--server.address", address, "--server.port", str(port), "--logger.hideWelcomeMessage", "true"]
    for option in ("maxUploadSize", "maxMessageSize"):
        command += [f"--server.{option}", str(LARGEST_MESSAGE)]
    return command


def _end(*_: object) -> None:
    """Who ends this process ends the app with it."""
    raise KeyboardInterrupt


def _keep_class(runs: Path, code: str, options: argparse.Namespace) -> None:
    """Make the class if it is new, and set what the options say."""
    before = read_class(runs, code).model_dump() if code in list_classes(runs) else {}
    named = {name: value for name in ("title", "lesson") if (value := getattr(options, name)) is not None}
    if named or not before:
        write_class(runs, code, parse_class({**before, **named}))


def _free_port(address: str, text: str) -> int:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise RunError(f"address = {address!r}: give an address of this machine, or 0.0.0.0 for every one") from None
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise RunError(f"port = {text!r}: must be a whole number from 1 to 65535")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, int(text)))
        except OSError as error:
            raise RunError(
                f"port = {text}: cannot listen on {address} ({error.strerror}); name another with --port"
            ) from None
    return int(text)


def _hosts(address: str) -> list[str]:
    """Under which the app is reached when it listens on `address`, the best first."""
    if not ipaddress.ip_address(address).is_unspecified:
        return [f"[{address}]" if ":" in address else address]
    return [*network_addresses(), "localhost"]


def _wait(process: subprocess.Popen[bytes], address: str, port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RunError(f"the app ended at its start with exit code {process.returncode}")
        try:
            with urllib.request.urlopen(f"http://{_hosts(address)[-1]}:{port}/_stcore/health", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise RunError(f"the app did not answer within {START_SECONDS:.0f} s")


def _say(options: argparse.Namespace, code: str, key: str, port: int) -> None:
    """The links, and how students come in."""
    bases = [f"http://{host}:{port}/" for host in _hosts(options.address)]
    students, teacher = student_link(bases[0], None), teacher_link(bases[-1], key)
    if options.json:
        print(json.dumps({"class": code, "teacher": teacher, "students": students}), flush=True)
        return
    print(qr_terminal(students))
    print(f"students  {students}")
    for other in bases[1:-1]:
        print(f"      or  {student_link(other, None)}")
    print(f"teacher   {teacher}")
    if bases[-1] != bases[0]:
        print(f"      or  {teacher_link(bases[0], key)}  (from another machine)")
    print("The teacher's link opens everything this app can do: show it to nobody. Ctrl-C ends the class.", flush=True)
