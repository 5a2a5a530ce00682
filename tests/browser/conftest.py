"""A running app and a real Chromium for the tests of this folder."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from triadapt.runs.library import list_runs

expect.set_options(timeout=60_000)  # a busy machine is slow, not wrong
ROOT = Path(__file__).parent.parent.parent
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine; .ci/run installs one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class App:
    """A server under test."""

    url: str
    runs: Path
    process: subprocess.Popen[bytes]
    modules_file: Path

    def modules(self) -> set[str]:
        """Names of the modules loaded in the server's process."""
        self.modules_file.unlink(missing_ok=True)
        os.kill(self.process.pid, signal.SIGUSR1)
        wait_for(self.modules_file.exists)
        return set(self.modules_file.read_text().split())

    def workers(self) -> list[int]:
        """Process ids of the server's workers: one, or none while a new one is started."""
        found = []
        # Threads and processes may go while they are looked at.
        for children in Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            with suppress(OSError):
                found += [int(pid) for pid in children.read_text().split()]
        return [pid for pid in found if self._is_worker(pid)]

    def _is_worker(self, pid: int) -> bool:
        with suppress(OSError):
            return b"triadapt.workers.process" in Path(f"/proc/{pid}/cmdline").read_bytes()
        return False

    def kill_worker(self) -> None:
        """SIGKILL to the server's worker."""
        wait_for(self.workers)
        for pid in self.workers():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def wait_for(condition: object, seconds: float = 120.0) -> None:
    """Wait until `condition()` is true; fail after `seconds`."""
    assert callable(condition)
    pause = Event()
    for _ in range(int(seconds * 20)):
        if condition():
            return
        pause.wait(0.05)
    raise AssertionError(f"not true within {seconds:g} s: {condition}")


WITHOUT_HELP = """() => [...document.querySelectorAll(".tri-board, .tri-compare, .tri-lab, .tour-start")]
  .flatMap((part) => [part, ...part.querySelectorAll("*")])
  .filter((node) => node.matches("button, select, input, textarea, summary"))
  .filter((node) => !node.title && !node.getAttribute("aria-label")).map((node) => node.outerHTML.slice(0, 120))"""


def without_help(page: Page) -> list[str]:
    """Controls of our own components that neither a title nor a label says anything of."""
    found: list[str] = page.evaluate(WITHOUT_HELP)
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_app(place: Path, more: Mapping[str, str] | None = None) -> App:
    """Start a server with its own folder of runs and wait until it answers. more: of its environment."""
    port, runs = _free_port(), place / "runs"
    modules_file = place / "modules.txt"
    arguments = [sys.executable, str(Path(__file__).parent / "serve.py"), str(modules_file), "app.py"]
    options = ["--server.headless", "true", "--server.port", str(port)]
    environment = {**os.environ, "TRIADAPT_RUNS": str(runs), **(more or {})}
    with open(place / "server.log", "wb") as log:
        process = subprocess.Popen([*arguments, *options], cwd=ROOT, env=environment, stdout=log, stderr=log)
    url = f"http://localhost:{port}"

    def answers() -> bool:
        assert process.poll() is None, (place / "server.log").read_text()
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    wait_for(answers)
    return App(url, runs, process, modules_file)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    app = start_app(tmp_path_factory.mktemp("app"))
    yield app
    app.process.terminate()
    app.process.wait(30)


def kill_what_runs(app: App) -> bool:
    """Kill the worker as long as it has something to do. Whether nothing is left."""
    live = [info for info in list_runs(app.runs) if info.live]
    if any(info.state != "queued" for info in live):
        app.kill_worker()
    return not live


@pytest.fixture
def page(browser: Browser, app: App) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(60_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    # A failed test must not leave a long race that the next one would queue behind.
    wait_for(lambda: kill_what_runs(app))
    assert not errors, errors
