"""The Methods page as a visitor has it: a real server, a real browser."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from conftest import App
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

AXIS = (
    "(words) => [...document.querySelectorAll('.js-plotly-plot .xtitle')]"
    ".some((one) => one.textContent.includes(words))"
)


def test_a_recorded_study_changes_its_price_and_a_card_leads_to_a_race(app: App, page: Page) -> None:
    page.goto(f"{app.url}/methods?kind=planted")
    page.wait_for_function(AXIS, arg="trainable parameters")
    expect(page.get_by_text("On the front:")).to_be_visible()
    page.get_by_role("radio", name="Memory").click()
    page.wait_for_function(AXIS, arg="memory of weights")
    page.wait_for_url("**against=memory**")
    page.get_by_role("tab", name="Method cards").click()
    page.get_by_role("radio", name="IncreLoRA", exact=True).or_(
        page.get_by_role("button", name="IncreLoRA", exact=True)
    ).click()
    page.wait_for_url("**card=increlora**")
    expect(page.get_by_text("When to choose it")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("All methods at a glance")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("On the front:")).to_be_visible()
    page.go_forward()
    page.go_forward()
    expect(page.get_by_text("When to choose it")).to_be_visible()
    page.get_by_role("link", name="Race it against LoRA").click()
    page.wait_for_url("**method=lora**")
    assert parse_qs(urlsplit(page.url).query)["method"] in (["lora", "increlora"], ["increlora", "lora"])
