"""Takes the pictures in docs/images: `.venv/bin/python docs/make_screenshots.py` (about four minutes, needs Chromium).

Starts the app over an empty folder of runs, drives it as a visitor would and photographs each state of the pages.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from itertools import pairwise
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parent.parent
IMAGES = Path(__file__).parent / "images"
BOARD = "document.querySelector('.tri-board')"
STUDY = """
name = "warm-up and interval"
seeds = 3
[base]
steps = 120
planted = {blocks = 2, width = 32}
[space]
method = ["triadaptlora", "increlora"]
warmup = [5, 20, 50]
interval = [4, 8, 16]
"""
DRAWN = "() => document.querySelectorAll('.tri-board [role=img] svg.main-svg').length >= 6"


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(runs: str, port: int) -> subprocess.Popen[bytes]:
    """The app over `runs`, answering."""
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true"]
    server = subprocess.Popen(
        [*command, "--server.port", str(port)], cwd=ROOT, env={**os.environ, "TRIADAPT_RUNS": runs}
    )
    for _ in range(300):
        try:
            urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=1)
            return server
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the app did not start")


def shoot(page: Page, name: str) -> None:
    """One picture, once the board has drawn what it holds."""
    page.wait_for_timeout(1200)
    page.mouse.move(5, 5)
    page.screenshot(path=IMAGES / f"{name}.png")
    print(f"docs/images/{name}.png")


def visit(browser: Browser, url: str, *, width: int = 1400, height: int = 1000, dark: bool = False) -> Page:
    """A visitor's page."""
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light")
    page.goto(url)
    return page


def press(page: Page, name: str) -> None:
    """Press one of the page's buttons."""
    page.locator(f".st-key-{name}_button button:visible").first.click()
    page.mouse.move(700, 900)  # off the button, whose tooltip would be in the picture


def take(browser: Browser, url: str, server: subprocess.Popen[bytes]) -> None:
    """All pictures, in the order in which the states come about."""
    page = visit(browser, url)
    page.wait_for_function(DRAWN)
    page.wait_for_function(f"() => +{BOARD}.dataset.step >= 599", timeout=60_000)
    shoot(page, "play-recorded")
    press(page, "run")
    page.wait_for_url("**run=*")
    # While a race is queued or starting there is nothing to draw yet.
    page.wait_for_function(f"() => {BOARD}?.dataset.points === '0'")
    page.screenshot(path=IMAGES / "play-empty.png")
    page.wait_for_function(f"() => +{BOARD}.dataset.step > 250", timeout=240_000)
    shoot(page, "play-running")
    dark = visit(browser, page.url, dark=True)
    dark.wait_for_function(DRAWN)
    shoot(dark, "play-dark")
    dark.close()
    page.wait_for_function(f"() => +{BOARD}.dataset.step >= 599", timeout=240_000)
    shoot(page, "play-finished")
    narrow = visit(browser, page.url, width=420, height=900)
    narrow.wait_for_function(DRAWN)
    shoot(narrow, "play-narrow")
    narrow.close()
    press(page, "run")
    page.wait_for_function(f"() => +{BOARD}.dataset.step > 90 && +{BOARD}.dataset.step < 500", timeout=120_000)
    os.kill(worker_of(server.pid), signal.SIGKILL)
    page.get_by_text("killed").first.wait_for()
    shoot(page, "play-failed")
    page.get_by_role("link", name="Runs").click()
    table = page.get_by_test_id("stDataFrame")
    table.wait_for()
    box = table.bounding_box()
    if box is not None:
        page.mouse.click(box["x"] + 16, box["y"] + 52)
    page.get_by_role("button", name="Save").wait_for()
    shoot(page, "runs")


def take_rest(browser: Browser, url: str, runs: str) -> None:
    """Compare and What if with a finished race, and a study that is over."""
    race = next(Path(runs).glob("*-triadaptlora")).name.removesuffix("-triadaptlora")
    page = visit(browser, f"{url}/compare?runs={race}")
    page.get_by_test_id("pareto").wait_for()
    shoot(page, "compare")
    page.close()
    page = visit(browser, f"{url}/tune?tab=What+if&run={race}-triadaptlora&set=interval=40", height=1200)
    page.get_by_role("button", name="Verify").wait_for()
    shoot(page, "what-if")
    page.close()
    study = Path(runs, "study.toml")
    study.write_text(STUDY)
    subprocess.run([sys.executable, "-m", "triadapt", "sweep", study, "--runs", runs], check=True, capture_output=True)
    name = next(Path(runs, "studies").iterdir()).name
    page = visit(browser, f"{url}/tune?tab=Studies&study={name}", height=1300)
    page.locator("svg.main-svg").first.wait_for()
    shoot(page, "study")
    page.close()


def take_methods(browser: Browser, url: str) -> None:
    """The methods against their price on recorded text."""
    page = visit(browser, f"{url}/methods?kind=sst2", height=1250)
    page.locator("svg.main-svg").first.wait_for()
    shoot(page, "methods")
    page.close()


def take_lab(browser: Browser, url: str) -> None:
    """The schedule lab, once the server has said what it thinks of the schedule."""
    page = visit(browser, f"{url}/tune?modes=all&interval=40", height=1100)
    page.wait_for_function("() => document.querySelector('.tri-lab')?.dataset.answered")
    shoot(page, "tune-lab")
    page.close()


def take_learn(browser: Browser, url: str) -> None:
    """A lesson after its predictions."""
    page = visit(browser, f"{url}/learn?lesson=one-rank", height=1250)
    page.wait_for_selector(".tri-learn[data-lesson=one-rank]")
    for cell in (2, 4, 7):
        page.locator(f"[data-testid=guess] [data-cell='{cell}']").click()
    page.locator(".ln-beat").first.get_by_role("button", name="That is my guess").click()
    page.locator(".ln-ask input").first.check()
    page.locator(".ln-ask").get_by_role("button", name="That is my guess").click()
    page.wait_for_timeout(500)
    shoot(page, "learn")
    page.close()


def take_own(browser: Browser, url: str, runs: str) -> None:
    """A table of one's own, looked at before anything is trained on it."""
    table = Path(runs, "reviews.csv")
    words = {"good": "warm clever brave tender".split(), "bad": "slow flat loud hollow".split()}
    rows = [f"a {a} and {b} film of {n} minutes,{label}" for n in range(70, 90) for label, two in words.items()
            for a, b in pairwise(two)]  # fmt: skip
    table.write_text("\n".join(["review,verdict", *rows, rows[0]]), encoding="utf-8")
    page = visit(browser, f"{url}/own", height=1150)
    page.get_by_role("textbox", name="Or the path of a file").fill(str(table))
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Take it to Play").wait_for()
    page.get_by_text("Matrices to adapt").click()
    shoot(page, "your-work")
    page.close()


def worker_of(pid: int) -> int:
    """The process that trains for a server."""
    children = Path(f"/proc/{pid}/task").glob("*/children")
    pids = [int(child) for file in children for child in file.read_text().split()]
    return next(p for p in pids if b"triadapt.workers.process" in Path(f"/proc/{p}/cmdline").read_bytes())


def main() -> None:
    """Start, photograph, stop."""
    IMAGES.mkdir(exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as runs:
        port = free_port()
        server = start(runs, port)
        try:
            with sync_playwright() as playwright:
                flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
                browser = playwright.chromium.launch(executable_path=chromium, args=flags)
                take_lab(browser, f"http://localhost:{port}")
                take_methods(browser, f"http://localhost:{port}")
                take_learn(browser, f"http://localhost:{port}")
                take_own(browser, f"http://localhost:{port}", runs)
                take(browser, f"http://localhost:{port}", server)
                take_rest(browser, f"http://localhost:{port}", runs)
                browser.close()
        finally:
            server.terminate()
            server.wait(30)


if __name__ == "__main__":
    main()
