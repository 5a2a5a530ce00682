"""A training of somebody's own script on the play page, live: the script is that of the documents."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT, App, wait_for
from playwright.sync_api import Page, expect

from triadapt.events import RankEvent
from triadapt.runs.library import list_runs
from triadapt.runs.reader import RunReader

pytestmark = pytest.mark.browser

BOARD = "document.querySelector('.tri-board')"
TOTAL_RANK = "document.querySelector('[data-testid=total-rank] [role=img]')?.getAttribute('aria-label')"


class Script:
    """The process that trains, and how far it may go."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def go_to(self, steps: int | str) -> None:
        assert self.process.stdin is not None
        print(steps, file=self.process.stdin, flush=True)


@pytest.fixture
def script(app: App, tmp_path: Path) -> Iterator[Script]:
    command = [sys.executable, str(Path(__file__).with_name("held_script.py"))]
    environment = {**os.environ, "TRIADAPT_RUNS": str(app.runs), "PYTHONPATH": str(ROOT)}
    with open(tmp_path / "log", "w+") as log:
        process = subprocess.Popen(
            [*command, str(ROOT / "docs" / "examples" / "trainer_script.py")],
            cwd=tmp_path, env=environment, stdin=subprocess.PIPE, stdout=log, stderr=log, text=True,
        )  # fmt: skip
        yield Script(process)
        process.kill()
        process.communicate()
        log.seek(0)
        print(log.read())


def stored_rank(app: App, step: int) -> int:
    """The total rank that the only run has at this step, which has been taken."""
    (info,) = list_runs(app.runs)
    events = [row.event for row in RunReader(app.runs / info.id).events() if isinstance(row.event, RankEvent)]
    return next(event.total_rank for event in reversed(events) if event.step <= step)


def test_a_script_with_two_lines_more_is_seen_on_play_while_it_trains(app: App, page: Page, script: Script) -> None:
    page.goto(app.url)  # which names no run; what trains is seen by itself
    chips = page.locator("[data-testid=chips]")
    expect(chips).to_contain_text("recorded")
    script.go_to(21)
    wait_for(lambda: any(info.live and info.last_step == 20 for info in list_runs(app.runs)))
    expect(chips).to_contain_text("running, step 20")
    early = stored_rank(app, 20)
    page.wait_for_function(f"() => {TOTAL_RANK}?.includes('TriAdaptLoRA {early} of 36.')")
    script.go_to(41)
    page.wait_for_function(f"() => +{BOARD}?.dataset.points === 41")
    later = stored_rank(app, 40)
    page.wait_for_function(f"() => {TOTAL_RANK}?.includes('TriAdaptLoRA {later} of 36.')")
    assert 9 <= early < later < 36
    script.go_to("end")
    expect(chips).to_contain_text("finished")  # and it stays on view
    page.wait_for_function(f"() => +{BOARD}?.dataset.points === 200")
    page.wait_for_function(f"() => {TOTAL_RANK}.includes('TriAdaptLoRA 36 of 36.')")
    expect(page.locator("[data-testid=metric] [role=img]")).to_have_count(1)
    assert script.process.wait(60) == 0
