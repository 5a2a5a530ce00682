"""The tour of the play page: it comes once, by itself, to who was not sent to something else."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from conftest import App
from playwright.sync_api import Browser, BrowserContext, Page, expect

from triadapt.ui.tour_component import STOPS

pytestmark = pytest.mark.browser

# As a person's browser says it; the tour leaves a browser alone that a program drives.
PERSON = "Object.defineProperty(Navigator.prototype, 'webdriver', {get: () => false})"
MAPS = "[data-testid=rank-map]"
# Whether what the light falls on is the element of the stop: its middle lies in the light, and both are in the window.
LIT = """([name, selectors]) => {
  const tour = document.querySelector("dialog.tour");
  if (tour?.dataset.stop !== name) return false;
  const light = tour.querySelector(".tour-light").getBoundingClientRect();
  const card = tour.querySelector(".tour-card").getBoundingClientRect();
  const [width, height] = [window.innerWidth, window.innerHeight];
  const boxes = selectors.map((one) => document.querySelector(one).getBoundingClientRect());
  const inside = ({left, top, right, bottom}) => left >= 0 && top >= 0 && right <= width && bottom <= height;
  const middle = (box) => [(box.left + box.right) / 2, (Math.max(0, box.top) + Math.min(height, box.bottom)) / 2];
  return inside(light) && inside(card) && boxes.every((box) => {
    const [x, y] = middle(box);
    return box.width > 1 && x >= light.left && x <= light.right && y >= light.top && y <= light.bottom;
  });
}"""


@pytest.fixture
def person(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Makes the browser of a new visitor."""
    made: list[BrowserContext] = []

    def new(width: int = 1400, scheme: str = "light") -> BrowserContext:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        context.add_init_script(PERSON)
        context.set_default_timeout(60_000)
        made.append(context)
        return context

    yield new
    for context in made:
        context.close()


def walk(page: Page) -> None:
    """From the first stop to the last with the arrow key, each in the light."""
    for stop in STOPS:
        page.wait_for_function(LIT, arg=[stop.name, list(stop.at)])
        expect(page.locator("dialog.tour h2")).to_have_text(stop.title)
        expect(page.locator(".tour-next")).to_be_focused()
        page.keyboard.press("ArrowRight")


def test_a_first_visit_is_shown_around_once_and_again_when_asked(
    app: App, person: Callable[..., BrowserContext]
) -> None:
    page = person().new_page()
    page.goto(app.url)
    tour = page.locator("dialog.tour")
    expect(tour).to_be_visible()
    page.evaluate("document.querySelector('.tri-board').mark = 'the same'")
    walk(page)
    expect(tour).to_have_count(0)
    expect(page.locator(".tour-start")).to_be_focused()
    assert page.evaluate("document.querySelector('.tri-board').mark") == "the same"

    page.reload()
    expect(page.locator(".tour-start")).to_have_attribute("data-by-itself", "false")
    expect(page.locator(MAPS)).to_be_visible()
    page.locator(".tour-start").click()
    expect(tour).to_be_visible()
    page.get_by_role("button", name="Next", exact=True).click()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_text(f"1 of {len(STOPS)}")).to_be_visible()
    expect(page.get_by_role("button", name="Back", exact=True)).to_be_disabled()
    page.keyboard.press("x")  # the shortcut of Stop, and of nothing here
    page.keyboard.press("Escape")
    expect(tour).to_have_count(0)


def test_on_a_narrow_dark_page_the_controls_are_opened_for_their_stops(
    app: App, person: Callable[..., BrowserContext]
) -> None:
    page = person(420, "dark").new_page()
    page.goto(app.url)
    expect(page.locator("dialog.tour")).to_be_visible()
    colours = "['.stApp', '.tour-card'].map((one) => getComputedStyle(document.querySelector(one)).backgroundColor)"
    page_colour, card_colour = page.evaluate(colours)
    assert page_colour == card_colour
    walk(page)
    expect(page.locator("[data-testid=stExpandSidebarButton]")).to_be_visible()  # closed again


def test_who_was_sent_to_something_or_is_a_program_is_left_alone(
    app: App, browser: Browser, person: Callable[..., BrowserContext]
) -> None:
    visitors = person()
    visitors.route("**/board.js", lambda route: route.abort())  # it is decided without the board
    page = visitors.new_page()
    for address in ("?run=healthy-race", "?class=rank-club", ""):  # who came by a link is left alone in that tab
        page.goto(f"{app.url}/{address}")
        expect(page.locator(".tour-start")).to_have_attribute("data-by-itself", "false")
    other = visitors.new_page()
    other.goto(app.url)
    expect(other.locator(".tour-start")).to_have_attribute("data-by-itself", "true")
    program = browser.new_context()
    visitor = program.new_page()
    visitor.goto(app.url)
    expect(visitor.locator(".tour-start")).to_have_attribute("data-by-itself", "false")
    program.close()
