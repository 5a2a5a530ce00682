"""The schedule lab as a visitor has it: a real server and a real browser."""

from __future__ import annotations

import pytest
from conftest import App, without_help
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser

ANSWERED = (
    "() => { const lab = document.querySelector('.tri-lab')?.dataset; return lab?.turn && lab.turn === lab.answered; }"
)


def number(page: Page, key: str) -> Locator:
    return page.locator(f"input[type=number][data-key='{key}']")


def drag(page: Page, key: str, share: float) -> None:
    """Take the slider of an input by its thumb and move it to a share of its way."""
    box = page.locator(f"input[type=range][data-key='{key}']").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()


def test_from_a_slider_to_a_finding_its_fix_the_snippet_and_play(app: App, page: Page) -> None:
    page.goto(f"{app.url}/tune?growth=fixed&interval=25&method=triadaptlora&method=adalora")
    page.wait_for_function(ANSWERED)
    picture, findings = page.locator("[data-testid=lab-picture] svg"), page.get_by_test_id("lab-findings")
    expect(picture).to_have_attribute("aria-label", "TriAdaptLoRA (fixed): 12 events, total rank 24 to 48, budget 48; "
                                      "AdaLoRA: 16 events, total rank 72 to 48, budget 48")  # fmt: skip
    expect(findings).to_contain_text("Nothing speaks against this schedule.")
    assert not without_help(page)

    drag(page, "warmup", 0.99)  # past the last step
    assert int(number(page, "warmup").input_value()) > 600
    assert "0 events, total rank 24 to 24" in str(picture.get_attribute("aria-label"))  # before the server knows of it
    finding = findings.locator("[data-code=no_event]")
    expect(finding).to_contain_text("TriAdaptLoRA (fixed): warmup = 6")
    expect(findings.locator("[data-code=refused]")).to_contain_text("AdaLoRA: warmup = 6")
    finding.get_by_role("button", name="Set warm-up to 60").click()
    expect(number(page, "warmup")).to_have_value("60")
    page.wait_for_function(ANSWERED)
    expect(findings).to_contain_text("Nothing speaks against this schedule.")

    number(page, "top_h").fill("3")
    number(page, "reference_rank").fill("")  # nothing to draw, and nothing to send
    expect(number(page, "reference_rank")).to_have_attribute("aria-invalid", "")
    expect(page.get_by_text("a whole number from 1 to").first).to_be_visible()
    number(page, "add_r").click()
    expect(number(page, "reference_rank")).to_have_value("2")
    expect(page.get_by_test_id("stCode")).to_contain_text(
        'callback = RankGrowthCallback(warmup=60, interval=25, growth="fixed", top_h=3)'
    )
    expect(page.get_by_test_id("lab-table").locator("tbody tr")).to_have_count(8)

    picture.hover(position={"x": 300, "y": 100})
    expect(page.locator(".lab-tip")).to_contain_text("TriAdaptLoRA (fixed): total rank")
    page.wait_for_url("**top_h=3**")
    page.reload()
    page.wait_for_function(ANSWERED)
    expect(number(page, "top_h")).to_have_value("3")
    expect(picture).to_have_attribute("aria-label", "TriAdaptLoRA (fixed): 8 events, total rank 24 to 48, budget 48; "
                                      "AdaLoRA: 16 events, total rank 72 to 48, budget 48")  # fmt: skip

    page.get_by_role("link", name="Try it on Play").click()
    page.wait_for_url(lambda url: "/tune" not in url)
    expect(page.get_by_role("slider", name="Interval")).to_have_value("25")
    assert "top_h=3" in page.url and "growth=fixed" in page.url and page.url.count("method=") == 2
    page.get_by_role("link", name="Tune").click()  # whose address says nothing: the lab is as it was left
    page.wait_for_function(ANSWERED)
    expect(number(page, "top_h")).to_have_value("3")


def test_steps_are_counted_and_own_matrices_read_while_one_types(app: App, page: Page) -> None:
    page.goto(f"{app.url}/tune?task=own&from=epochs")
    page.wait_for_function(ANSWERED)
    number(page, "rows").fill("67349")
    number(page, "accumulation").fill("4")
    expect(number(page, "steps")).to_have_value("3159")
    expect(page.get_by_test_id("lab-counting")).to_contain_text("x 3 epochs: 3,159 optimizer steps")
    page.get_by_label("Modules of a layer").fill("q_proj 4096x4096, v_proj 4096x1024, up")
    expect(page.locator(".lab-said").get_by_text("36 matrices")).to_be_visible()
    assert "Trainable parameters" not in page.locator("[data-testid=lab-picture] svg").inner_html()
    page.get_by_label("Modules of a layer").fill("q_proj 4096x")
    expect(page.get_by_test_id("lab-findings")).to_contain_text(
        "modules = 'q_proj 4096x': expected a name and in x out"
    )
    said = page.locator(".lab-unread")  # beside the field, and what was planned before is dimmed
    expect(said).to_contain_text("'q_proj 4096x': expected a name and in x out")
    expect(page.get_by_label("Modules of a layer")).to_have_attribute("aria-invalid", "")
    expect(page.locator(".lab-main[data-before]")).to_be_visible()
    expect(page.get_by_test_id("stCode")).to_have_count(0)
    page.get_by_label("Modules of a layer").fill("q_proj 4096x4096")
    expect(said).to_be_empty()
    expect(page.locator(".lab-main[data-before]")).to_have_count(0)
