"""The app as a visitor meets it: a Streamlit server of its own, and a headless Chromium."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from playwright.sync_api import Browser, Page, sync_playwright

from triadapt.runs.library import find

ROOT = Path(__file__).parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
START_SECONDS = 60.0
PAGE_MILLISECONDS = 60_000
RUN_BUTTON = ".st-key-run_button button"
STOP_BUTTON = ".st-key-stop_button button"
FIRST_LOOK = "document.querySelectorAll('[data-testid=first-look] td, [data-testid=rank-map] .hm image').length > 0"
CELLS = "document.querySelectorAll('[data-testid=rank-map] .hm image').length > 0"


@dataclass(frozen=True)
class AppServer:
    """Where the app answers, and the folder its runs go to."""

    address: str
    runs: Path


@contextmanager
def app_server(
    more: Mapping[str, str] | None = None, prepare: Callable[[Path], object] = lambda runs: None
) -> Iterator[AppServer]:
    """Start the app on a free port over an empty folder of runs; end it afterwards. Raises RuntimeError.

    more: of its environment. prepare: called with the folder of runs before the start.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="triadapt-benchmark-") as folder:
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true"]
        command += ["--server.port", str(port), "--server.address", "127.0.0.1"]
        environment = {**os.environ, "TRIADAPT_RUNS": folder, **(more or {})}
        prepare(Path(folder))
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait(process, f"{address}/_stcore/health")
            yield AppServer(address, Path(folder))
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: subprocess.Popen[bytes], address: str) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the app ended at its start with exit code {process.returncode}; try `make app`")
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the app did not answer within {START_SECONDS:.0f} s")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser. Raises RuntimeError when there is none."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        raise RuntimeError("no Chromium or Chrome on this machine; install one, for example `apt-get install chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


def new_page(browser: Browser) -> Page:
    """A page with an empty cache."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    page.set_default_timeout(PAGE_MILLISECONDS)
    return page


def open_board(page: Page, address: str) -> tuple[float, float]:
    """Go to `address`; returns the seconds until the ranks are seen first, and until Plotly has drawn the rank map."""
    start = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_function(FIRST_LOOK, polling="raf")
    first = time.perf_counter() - start
    page.wait_for_function(CELLS, polling="raf")
    return first, time.perf_counter() - start


def press_run(page: Page) -> float:
    """Press Run; returns the seconds until the new race has a first training step on the board."""
    before = page.evaluate("new URLSearchParams(location.search).get('run')")
    # Streamlit draws a button with a shortcut twice, once only to measure its label.
    button = page.locator(f"{RUN_BUTTON}:enabled").first
    button.wait_for()
    start = time.perf_counter()
    button.click()
    page.wait_for_function(
        """(before) => {
          const view = new URLSearchParams(location.search).get('run');
          const mount = document.querySelector('.tri-board');
          const host = mount && mount.parentElement.triBoard;
          const runs = host && host.board ? host.board.runs : [];
          return view && view !== before && runs.some((run) => run.id.startsWith(view) && run.step.t.length > 0);
        }""",
        arg=before,
        polling="raf",
    )
    return time.perf_counter() - start


def stop(page: Page, server: AppServer) -> str:
    """Press Stop and wait until every run of the race on view has ended; returns the race. Raises RuntimeError."""
    race = race_on_view(page)
    page.locator(f"{STOP_BUTTON}:enabled").first.click()
    until = time.monotonic() + START_SECONDS
    while any(info.live for info in find(server.runs, race)):
        if time.monotonic() > until:
            raise RuntimeError(f"race {race} did not end within {START_SECONDS:.0f} s of pressing Stop")
        page.wait_for_timeout(50)
    return race


PARTS = {"triadapt.workers.process": "training", "streamlit": "server", "chrom": "browser"}


def processor_seconds() -> dict[str, float]:
    """Processor time used so far by the training, the server and the browser that were started here; as `others`, that
    of everything else on the machine; as `waiting`, how long the training stood in line for a processor (NaN where the
    system does not say)."""
    used = dict.fromkeys([*PARTS.values(), "waiting"], 0.0)
    here = 0.0
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        with suppress(psutil.Error):  # gone meanwhile
            times, command = process.cpu_times(), " ".join(process.cmdline())
            here += times.user + times.system
            part = next((part for word, part in PARTS.items() if word in command), None)
            if part is not None:
                used[part] += times.user + times.system
            if part == "training":
                used["waiting"] += _waited(process.pid)
    busy = psutil.cpu_times()
    return used | {"others": busy.user + busy.nice + busy.system - here}


def _waited(pid: int) -> float:
    """Seconds that the threads of a process could have run, but others did."""
    waited = 0.0
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError):  # a thread that ended
            waited += int(path.read_text().split()[1]) / 1e9
    return waited if Path(f"/proc/{pid}/schedstat").exists() else float("nan")


def race_on_view(page: Page) -> str:
    """Name of the race in the page's address."""
    return str(page.evaluate("new URLSearchParams(location.search).get('run')"))
