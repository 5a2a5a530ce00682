"""A class, as teacher and student have it: two browsers, one of them a phone."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from conftest import App, start_app
from playwright.sync_api import Browser, Page, expect

from triadapt.classroom.server import CODE, KEY
from triadapt.classroom.settings import parse_class
from triadapt.classroom.store import read_class, write_class

pytestmark = pytest.mark.browser

THE_KEY = "the-key-of-the-teacher"
FITS = "() => document.querySelector('[data-testid=stMain]').scrollWidth <= window.innerWidth"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    place = tmp_path_factory.mktemp("class")
    write_class(place / "runs", "class", parse_class({"title": "Spring", "lesson": "lora"}))
    app = start_app(place, {CODE: "class", KEY: THE_KEY})
    yield app
    app.process.terminate()
    app.process.wait(30)


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.set_default_timeout(60_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert not errors, errors


def test_a_class_from_its_panel_to_a_phone_that_follows(page: Page, phone: Page, app: App) -> None:
    # The teacher locks a control at the value it has on Play; the key is gone from the address, and a reload keeps it.
    page.goto(f"{app.url}/?teacher={THE_KEY}&warmup=44&run=healthy-race")
    expect(page.locator(".st-key-run_button button").first).to_be_enabled()
    expect(page).not_to_have_url(re.compile("teacher="))
    page.get_by_role("link", name="Learn").click()
    panel = page.locator(".st-key-class_panel")
    locked = panel.locator("[class*='-locked']").get_by_role("combobox")
    locked.fill("Warm-up")
    locked.press("Enter")
    expect(panel.get_by_text("Locked at Warm-up 44")).to_be_visible()
    page.keyboard.press("Escape")
    panel.get_by_role("button", name="Save").click()
    expect(panel.get_by_text("Changed, and not saved yet.")).to_have_count(0)
    assert read_class(app.runs, "class").locked == {"warmup": 44}
    expect(page.locator(".st-key-class_qr svg path").first).to_be_visible()
    panel.get_by_text("Students follow me").click()

    # A student comes by the bare address: to where the teacher is.
    phone.goto(app.url)
    expect(phone.get_by_text("Spring")).to_be_visible()
    expect(phone).to_have_url(re.compile(r"/learn\?lesson="))
    expect(phone.locator("[data-lesson]").first).to_be_visible()
    assert phone.evaluate(FITS)

    # The teacher goes to another lesson, and to a race on Play; the phone goes along.
    page.goto(f"{app.url}/learn?lesson=threshold")
    expect(phone).to_have_url(re.compile("lesson=threshold"), timeout=20_000)
    page.goto(f"{app.url}/?run=warmup-too-long")
    expect(phone).to_have_url(re.compile("run=warmup-too-long"), timeout=20_000)
    phone.wait_for_function("document.querySelectorAll('[data-testid=first-look] td, .hm image').length > 0")
    assert phone.evaluate(FITS)
    expect(phone.get_by_text("Import")).to_have_count(0)

    # The locked control is there and stands still.
    phone.get_by_test_id("stExpandSidebarButton").click()
    control = phone.locator("[class*='st-key-locked-warmup']")
    expect(control.get_by_text("44", exact=True).first).to_be_visible()
    expect(control.locator("[role=slider], input").first).to_be_disabled()
    for name in ("Your work", "Runs", "Tune"):
        expect(phone.get_by_role("link", name=name)).to_have_count(0)

    # A page is added and the teacher goes there: without a touch, the phone has it and goes along.
    before = read_class(app.runs, "class")
    write_class(app.runs, "class", before.model_copy(update={"title": "Summer", "pages": ["learn", "play", "runs"]}))
    page.goto(f"{app.url}/runs")
    expect(phone).to_have_url(re.compile("/runs"), timeout=20_000)
    expect(phone.get_by_text("Summer")).to_be_visible()


def test_the_tour_leaves_a_student_alone_whose_address_names_no_class(browser: Browser, app: App) -> None:
    context = browser.new_context()
    context.add_init_script("Object.defineProperty(Navigator.prototype, 'webdriver', {get: () => false})")
    student = context.new_page()
    student.goto(app.url)
    student.get_by_role("link", name="Play").click(timeout=60_000)
    expect(student.locator(".tour-start")).to_have_attribute("data-by-itself", "false", timeout=60_000)
    context.close()
