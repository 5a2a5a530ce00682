"""What if and Studies, as a visitor has them: a real server, real workers, a real browser."""

from __future__ import annotations

from typing import Literal
from urllib.parse import parse_qs, urlsplit

import pytest
from conftest import App, wait_for
from playwright.sync_api import Locator, Page, expect

from triadapt.runs.library import list_runs
from triadapt.runs.reader import RunReader
from triadapt.sweeps.library import list_studies
from triadapt.views.what_if.comparison import what_if
from triadapt.views.what_if.recording import recording_of

pytestmark = pytest.mark.browser

SMALL = "planted.blocks=1&planted.width=16&batch_size=8&eval_every=50&steps=120&warmup=4&interval=8"
PICTURES = ["what-if-recorded", "what-if-replayed", "what-if-difference", "what-if-totals"]
DRAWN = "(names) => names.every((name) => document.querySelector(`[data-testid=figure-${name}] .main-svg .subplot`))"
# In every frame from now on: which of the pictures and controls are not there.
WATCH = """(names) => {
  const seen = window.seen = {frames: 0, missing: []};
  const wanted = [...names.map((name) => `[data-testid=figure-${name}] .main-svg .subplot`), "[role=slider], input[type=range]", ".st-key-what_if_verify button"];
  const marks = names.map((name) => { const node = document.querySelector(`[data-testid=figure-${name}]`); node.mark = name; return node; });
  const look = () => {
    seen.frames += 1;
    for (const one of wanted) if (!document.querySelector(one)?.getBoundingClientRect().height) seen.missing.push(one);
    seen.same = marks.every((node) => node.isConnected);
    requestAnimationFrame(look);
  };
  look();
}"""  # noqa: E501
TOTALS = "document.querySelector('[data-testid=figure-what-if-totals]').data.find((one) => one.name === 'replayed')"
CELLS = (
    "[...document.querySelectorAll('[data-testid=figure-what-if-replayed] .heatmap-label text')]"
    ".map((one) => +one.textContent)"
)


def asked(page: Page, name: str) -> str:
    """What the address says under a name."""
    return parse_qs(urlsplit(page.url).query).get(name, [""])[0]


def button(page: Page, key: str) -> Locator:
    """Streamlit draws a button with a tooltip twice and shows one of them."""
    return page.locator(f".st-key-{key} button:visible").first


def press(page: Page, key: str) -> None:
    """Press a button and move the mouse off it, whose tooltip would lie over its neighbours."""
    button(page, key).click()
    page.mouse.move(1390, 5)


def test_fast_presses_end_where_the_last_one_did_and_verify_tells_how_far_off_it_was(app: App, page: Page) -> None:
    page.goto(f"{app.url}/?{SMALL}&method=triadaptlora")
    press(page, "run_button")
    wait_for(lambda: [info.state for info in list_runs(app.runs)] == ["finished"])
    (info,) = list_runs(app.runs)
    page.goto(f"{app.url}/tune?tab=What+if")
    expect(page.get_by_text("As it was.")).to_be_visible()
    page.wait_for_function(DRAWN, arg=PICTURES)
    assert "TriAdaptLoRA" in page.get_by_role("combobox", name="Recorded run").input_value()
    expect(button(page, "what_if_verify")).to_be_disabled()

    slider = page.get_by_role("slider", name="Interval")
    slider.focus()
    page.evaluate(WATCH, PICTURES)
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    page.wait_for_url("**set=interval%3D18")
    expect(page.get_by_text("Interval 8 → 18")).to_be_visible()
    expect(slider).to_have_value("18")
    guess = what_if(recording_of(RunReader(app.runs / info.id).events()), {"interval": 18})
    steps = [event.step for event in guess.replayed]
    page.wait_for_function(f"(steps) => '' + {TOTALS}.x.slice(1, -1) === steps", arg=",".join(map(str, steps)))
    page.wait_for_function(f"(total) => {CELLS}.reduce((a, b) => a + b) === total", arg=int(guess.final.sum()))
    expect(page.get_by_text(f"total rank {guess.final.sum()}").last).to_be_visible()
    seen = page.evaluate("window.seen")
    assert seen["frames"] > 5 and seen["missing"] == [] and seen["same"]

    page.reload()
    expect(slider).to_have_value("18")
    expect(page.get_by_text("Interval 8 → 18")).to_be_visible()
    press(page, "what_if_verify")
    wait_for(lambda: [info.state for info in list_runs(app.runs)] == ["finished"] * 2)
    expect(page.get_by_text("Placed alike").first).to_be_visible()
    expect(page.get_by_test_id("figure-what-if-off")).to_have_attribute(
        "aria-label", "Replayed rank minus the rank of the real run"
    )
    expect(page.get_by_role("link", name="Open the real run")).to_be_visible()
    expect(button(page, "what_if_verify")).to_be_disabled()


def marks(page: Page) -> int:
    """Runs in the response map."""
    return page.locator("[data-testid=figure-sweep-map] .scatterlayer .point").count()


def fill(page: Page, label: str, value: str, role: Literal["textbox", "spinbutton"] = "textbox") -> None:
    """Type into a field of the form and leave it."""
    field = page.get_by_role(role, name=label, exact=True)
    field.fill(value)
    field.press("Enter")


def test_a_study_is_started_paused_resumed_and_looked_into(app: App, page: Page) -> None:
    page.goto(f"{app.url}/tune?tab=Studies")
    fill(page, "Steps", "5", "spinbutton")
    expect(page.get_by_text("5: must be from 10 to 100,000").first).to_be_visible()
    expect(button(page, "sweep_start")).to_be_disabled()
    fill(page, "Steps", "120", "spinbutton")
    page.get_by_role("button", name="Remove IncreLoRA").click()
    fill(page, "Warm-up", "4, late")
    beside = page.locator(".st-key-sweep_warmup ~ *", has_text="late")
    expect(beside.first).to_be_visible()
    fill(page, "Warm-up", "4, 8")
    fill(page, "Interval", "5, 10")
    fill(page, "Seeds", "1", "spinbutton")
    fill(page, "Runs at a time (0: one a core)", "1", "spinbutton")
    expect(page.get_by_text("4 points with 1 seed each: 4 runs")).to_be_visible()
    press(page, "sweep_start")

    page.wait_for_url("**study=study-*")
    study = asked(page, "study")
    wait_for(lambda: marks(page) >= 1)
    press(page, "study_pause")
    expect(page.get_by_text("Paused: ")).to_be_visible()
    (info,) = list_studies(app.runs)
    assert info.state == "paused" and 0 < info.counts["complete"] < 4
    press(page, "study_go")
    wait_for(lambda: list_studies(app.runs)[0].state == "finished")
    wait_for(lambda: marks(page) == 4)
    expect(page.get_by_text("4 of 4 runs: 4 complete")).to_be_visible()
    expect(button(page, "study_seed")).to_be_visible()

    page.goto(f"{app.url}/tune?tab=Studies&study={study}")
    wait_for(lambda: marks(page) == 4)
    point = page.locator("[data-testid=figure-sweep-map] .scatterlayer .point").last
    point.scroll_into_view_if_needed()
    box = point.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    replay = page.get_by_role("link", name="Open its replay")
    replay.click()
    page.wait_for_url("**run=*")
    opened = next(info for info in list_runs(app.runs) if info.id == asked(page, "run"))
    assert opened.study == study and opened.state == "finished"
    page.wait_for_function("() => +document.querySelector('.tri-board')?.dataset.points === 120")
