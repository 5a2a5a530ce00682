"""The lessons as a reader has them: from start to end, both themes, wide and narrow; numbers shown are recomputed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from conftest import App
from playwright.sync_api import Browser, Page, expect
from safetensors.numpy import load_file

from triadapt.config import parse_config
from triadapt.events import RankEvent
from triadapt.growth.preview import preview
from triadapt.growth.schedule import matrices_to_grow
from triadapt.growth.threshold import growth_threshold, normalized_frobenius
from triadapt.lessons.races import SMALL, nested
from triadapt.lessons.recordings import ASKED, CHANGE_FILE, FOLDER, recorded_lesson
from triadapt.lessons.registry import LESSONS

pytestmark = pytest.mark.browser

READY = ".tri-learn[data-lesson='{}']"
STAGE = "document.querySelector('.tri-learn').parentElement.triLearn.learn.stage"


def open_lesson(page: Page, app: App, slug: str, query: str = "") -> None:
    page.goto(f"{app.url}/learn?lesson={slug}{query}")
    page.wait_for_selector(READY.format(slug))


def shown(page: Page, name: str) -> float:
    """A computed number where the reader sees it."""
    return float(str(page.locator(f".ln-live[data-name='{name}']").first.get_attribute("data-value")))


def slide(page: Page, name: str, value: float) -> None:
    """Move a slider of a lesson."""
    page.locator(f"input[data-name='{name}']").evaluate(
        "(node, value) => { node.value = value; node.dispatchEvent(new Event('input')); }", value
    )


@pytest.fixture
def reader(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Pages of a given width and theme, each a reader of their own."""
    contexts, errors = [], []

    def reader(width: int = 1400, theme: str = "light") -> Page:
        context = browser.new_context(viewport={"width": width, "height": 1000}, color_scheme=theme)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    yield reader
    for context in contexts:
        context.close()
    assert not errors, errors


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_every_lesson_from_start_to_end(app: App, reader: Callable[..., Page], width: int, theme: str) -> None:
    page = reader(width, theme)
    first, *others = LESSONS
    open_lesson(page, app, first)
    asked = 0
    for slug in [first, *others]:
        page.wait_for_selector(READY.format(slug))
        expect(page.locator(".tri-learn")).to_have_attribute("data-theme", theme)
        if slug == "one-rank":
            for cell in page.locator("[data-testid=guess] [data-cell]").all()[:3]:
                cell.click()
            page.locator(".ln-beat").first.get_by_role("button", name="That is my guess").click()
            expect(page.locator(".ln-said").first).to_contain_text("of 3. Who guesses blindly")
        for ask in page.locator(".ln-ask").all():
            ask.locator("input").last.check()
            ask.get_by_role("button", name="That is my guess").click()
            expect(ask.locator(".ln-said")).to_contain_text(". ")
            asked += 1
        if slug in ASKED:
            page.get_by_test_id("recorded").click()
            expect(page.locator(".ln-race .ln-status")).to_contain_text("Recorded")
            assert page.locator(".ln-shown .ln-map rect").count() >= 12
        # Everything that is drawn has room, and nothing pushes the page sideways.
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), slug
        assert page.evaluate("[...document.querySelectorAll('.ln-picture svg')].every((one) => one.clientWidth > 0)"), (
            slug
        )
        for ask in page.locator(".ln-ask").all():
            expect(ask).to_have_attribute("data-hit", "true" if "Right" in ask.inner_text() else "false")
        if slug != list(LESSONS)[-1]:
            page.locator(".ln-foot .ln-go").click()
    assert asked >= 14
    expect(page.get_by_test_id("score")).to_contain_text(f"of {asked} right")
    expect(page.locator(".ln-chips .ln-done")).to_have_count(len(LESSONS) - 1)
    page.reload()  # kept in the browser
    page.wait_for_selector(READY.format(list(LESSONS)[-1]))
    expect(page.get_by_test_id("score")).to_contain_text(f"of {asked} right")


def test_a_race_is_trained_live_and_found_again_after_a_reload(app: App, reader: Callable[..., Page]) -> None:
    page = reader()
    open_lesson(page, app, "capstone")
    slide(page, "capstone-interval", 5)
    slide(page, "capstone-warmup", 10)
    page.get_by_test_id("train").click()
    page.wait_for_selector("[data-testid=race][data-state=over]")
    score = shown(page, "score")
    default, yours = page.evaluate(f"{STAGE}.data.live.runs.map((run) => run.metricAtEnd)")
    assert score == pytest.approx(100 * (default - yours) / default, rel=1e-6) and score > 0
    expect(page.get_by_test_id("capstone-said")).to_contain_text("Better than the default")
    expect(page.get_by_test_id("attempts").locator("tr")).to_have_count(2)
    page.wait_for_url("**race=*")
    page.reload()
    page.wait_for_selector("[data-testid=race][data-state=over]")
    assert shown(page, "score") == pytest.approx(score)
    expect(page.get_by_test_id("attempts").locator("tr")).to_have_count(2)  # counted once


def test_words_symbols_and_links_explain_themselves(app: App, reader: Callable[..., Page]) -> None:
    page = reader()
    open_lesson(page, app, "importance")
    tip = page.locator(".ln-tip")
    page.locator(".ln-formula [data-sym=m]").first.hover()
    expect(tip).to_contain_text("how many blocks")
    page.locator(".ln-term").get_by_text("importance").first.click()
    expect(tip).to_contain_text("normalised")
    expect(tip.get_by_role("link", name="see it move")).to_have_attribute("href", re.compile(r"^http.*:\d+/"))
    page.locator(".ln-chips button[data-lesson=glossary]").click()
    page.wait_for_selector(READY.format("glossary"))
    page.get_by_role("searchbox").fill("reserve")
    expect(page.locator(".ln-glossary > div:visible").first).to_contain_text("reserve", ignore_case=True)
    page.go_back()
    page.wait_for_selector(READY.format("importance"))


class TestNumbersOnThePage:
    """What a reader reads, against the code that trains."""

    def test_importance_by_hand(self, app: App, reader: Callable[..., Page]) -> None:
        page = reader()
        open_lesson(page, app, "importance")
        page.locator("input[data-entry=L10]").fill("-0.9")
        page.locator("input[data-entry=U02]").fill("1.7")
        slide(page, "blocks", 2)
        slide(page, "before", 0.35)
        given = page.evaluate(f"(() => {{ const {{L, U}} = {STAGE}.importance; return {{L, U}}; }})()")
        core = np.array(given["L"]) + np.array(given["U"])
        assert core[1, 0] == -0.9 and core[0, 2] == 1.7
        assert shown(page, "norm") == pytest.approx(normalized_frobenius(core, 2))
        assert shown(page, "importance") == pytest.approx(normalized_frobenius(core, 2) - 0.35)
        page.locator("input[data-entry=L10]").fill("")
        expect(page.locator(".ln-problem")).to_contain_text("L, row 2, column 1")
        assert shown(page, "norm") == pytest.approx(normalized_frobenius(core, 2))

    def test_growth_that_the_network_notices_or_not(self, app: App, reader: Callable[..., Page]) -> None:
        page = reader()
        open_lesson(page, app, "triangular")
        for button, away in (("Grow, harmless", False), ("Grow, drawn at random", True), ("Grow, harmless", False)):
            page.get_by_role("button", name=button).click()
            assert (float(str(page.locator("[data-away]").get_attribute("data-away"))) > 0) == away
        adapter = page.evaluate(f"JSON.parse(JSON.stringify({STAGE}.adapter.adapter))")
        A, B, L, U, W, x = (np.array(adapter[name]) for name in ("A", "B", "L", "U", "W", "x"))
        assert adapter["blocks"] == [1, 1, 1, 1]
        output = (W + adapter["scale"] * B @ (L + U) @ A) @ x
        assert [shown(page, f"after-{i}") for i in range(6)] == pytest.approx(output.tolist())
        assert shown(page, "parameters") == 4 * (6 + 6) + 2 * (1 + 2 + 3 + 4)

    def test_who_gets_in(self, app: App, reader: Callable[..., Page]) -> None:
        page = reader()
        open_lesson(page, app, "threshold")
        run = next(run for run in recorded_lesson("prune-or-grow") if run.info().method == "triadaptlora")
        events = [row.event for row in run.events() if isinstance(row.event, RankEvent)]
        slide(page, "threshold-event", 6)
        for mode in ("linear", "non-linear", "fixed"):
            page.locator(f"button[data-choice='{mode}']").click()
            for progress, gap, top in ((0.3, 17, 3), (0.75, 9, 5), (0.02, 2, 1)):
                slide(page, "progress", progress)
                slide(page, "gap", gap)
                slide(page, "top", top)
                allowed = matrices_to_grow(
                    mode, step=round(progress * 100), init_warmup=0, total_step=100, target_total_rank=100,
                    total_rank=100 - gap, num_matrices=12, top_h=top,
                )  # fmt: skip
                assert shown(page, "allowed") == allowed
                assert shown(page, "tau") == pytest.approx(growth_threshold(events[6].scores, allowed), rel=1e-6)

        slide(page, "gap", 0)
        assert shown(page, "allowed") == 0
        expect(page.get_by_test_id("threshold-bars")).to_contain_text("nobody grows")

    def test_the_planned_staircase(self, app: App, reader: Callable[..., Page]) -> None:
        page = reader()
        open_lesson(page, app, "capstone")
        slide(page, "capstone-add_r", 4)
        slide(page, "capstone-warmup", 77)
        config = parse_config(nested({**SMALL, "add_r": 4, "warmup": 77}))
        seen = preview(config, 12)
        label = page.locator("[data-testid=capstone-plan] svg").get_attribute("aria-label")
        assert f"yours ends at {seen.rows[-1]['total_rank']}" in str(label).replace(".0", "")

    def test_what_full_training_changed(self, app: App, reader: Callable[..., Page]) -> None:
        page = reader()
        open_lesson(page, app, "low-rank")
        sigma = np.linalg.svd(load_file(FOLDER / CHANGE_FILE)["planted"].astype(np.float64))[1]
        for k in (1, 5, 8):
            slide(page, "change-pieces", k)
            share = np.sum(sigma[:k] ** 2) / np.sum(sigma**2)
            assert shown(page, "change-energy") == pytest.approx(100 * share, rel=1e-6)
            assert shown(page, "change-stored") == k * (128 + 64)

    def test_what_lora_trains(self, app: App, reader: Callable[..., Page]) -> None:
        page = reader()
        open_lesson(page, app, "lora")
        page.locator(".ln-ask input").first.check()
        page.locator(".ln-ask button").first.click()
        slide(page, "lora-r", 16)
        assert shown(page, "lora-one") == 16 * (768 + 768) and shown(page, "lora-scale") == 8 / 16
        assert shown(page, "lora-total") == 12 * 2 * 16 * (768 + 768)


def test_a_lesson_shows_the_recorded_numbers(app: App, reader: Callable[..., Page]) -> None:
    page = reader()
    open_lesson(page, app, "prune-or-grow")
    page.get_by_test_id("recorded").click()
    for run in recorded_lesson("prune-or-grow"):
        events = [row.event for row in run.events() if isinstance(row.event, RankEvent)]
        for step in (0, events[2].step, 300):
            slide(page, "race-step", step)
            at = [event for event in events if event.step <= step]
            total = at[-1].total_rank if at else int(events[0].before.sum())
            assert shown(page, f"total-{run.info().method}") == total
            if at:
                assert shown(page, f"parameters-{run.info().method}") == at[-1].trainable_parameters


def test_nothing_is_kept_where_a_browser_keeps_nothing(app: App, reader: Callable[..., Page]) -> None:
    page = reader()
    page.add_init_script("Object.defineProperty(window, 'localStorage', {get() { throw new Error('closed'); }})")
    open_lesson(page, app, "lora")
    ask: Any = page.locator(".ln-ask").first
    ask.locator("input").nth(2).check()
    ask.get_by_role("button").click()
    expect(page.get_by_test_id("score")).to_contain_text("1 of 1 right")


def test_what_another_program_left_in_the_store_does_no_harm(app: App, reader: Callable[..., Page]) -> None:
    page = reader()
    nonsense = json.dumps(json.dumps({"answers": {"lora/count": {"picked": 1}}, "done": "all", "attempts": 3}))
    page.add_init_script(f"localStorage.setItem('triadapt.learn', {nonsense})")
    open_lesson(page, app, "lora")
    expect(page.get_by_test_id("score")).to_contain_text("Every lesson asks you to predict")
