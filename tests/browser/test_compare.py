"""The compare page as a visitor has it: a real server, stored runs, a real browser."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import App, without_help
from playwright.sync_api import Browser, Page, expect

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
from compare_runs import config, store

from triadapt.runs.library import list_runs
from triadapt.runs.reader import RunReader
from triadapt.views.compare.agreement import agreement
from triadapt.views.compare.interval import T_975
from triadapt.views.compare.moment import Moment, standing
from triadapt.views.compare.reading import read_record
from triadapt.views.compare.table import Compared, side_by_side, summary_row

pytestmark = pytest.mark.browser

COMPARISON = (
    """[...document.querySelectorAll(".tri-compare")].map((root) => root.parentElement.triCompare?.comparison)[0]"""
)
RESTS = f"() => {{ const comparison = {COMPARISON}; return comparison?.runs.length && comparison.rests; }}"
STATES = {
    "triadaptlora": [[1, 1, 1, 1], [2, 1, 1, 1], [2, 2, 1, 2], [3, 2, 1, 2]],
    "adalora": [[3, 3, 3, 3], [3, 2, 3, 2], [3, 0, 3, 2]],
    "lora": [[2, 2, 2, 2]],
}


@pytest.fixture(scope="module")
def compared(app: App) -> list[Compared]:
    """Three methods, two seeds each, of which one run of the second seed stopped early."""
    for seed in (1, 2):
        for method, states in STATES.items():
            moved = [state[seed - 1 :] + state[: seed - 1] for state in states]
            early = {"steps": 25, "finished": False} if (seed, method) == (2, "triadaptlora") else {}
            store(app.runs, config(method, seed=seed), moved, **early)
    infos = sorted(list_runs(app.runs), key=lambda info: (list(STATES).index(info.method), info.config["seed"]))
    records = [read_record(RunReader(app.runs / info.id)) for info in infos]
    return side_by_side([(info, record) for info, record in zip(infos, records, strict=True) if record is not None])


@pytest.fixture
def address(app: App, compared: list[Compared]) -> str:
    return f"{app.url}/compare?runs={','.join(run.info.id for run in compared)}"


def open_comparison(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_function(RESTS)


def choose_moment(page: Page, kind: str, value: float) -> None:
    """As a visitor does: the kind by its button, the value by the slider."""
    page.locator(f"[data-testid=moment] button[data-value={kind}]").click()
    if kind != "end":
        slider = page.locator("[data-testid=moment] input")
        slider.evaluate("(node, value) => { node.value = value; node.dispatchEvent(new Event('input')); }", value)
    page.wait_for_function(RESTS)


def tile(page: Page, run: str) -> Any:
    return page.locator(f".tri-tile[data-run='{run}']")


def test_rows_chosen_on_the_runs_page_open_as_maps_side_by_side(app: App, page: Page, compared: list[Compared]) -> None:
    page.goto(f"{app.url}/runs")
    table = page.locator("[data-testid=stDataFrame] canvas").first
    expect(table).to_be_visible()
    # The cells are painted on a canvas below a pane that scrolls: a click goes to a place, not to a node.
    table.click(position={"x": 18, "y": 35 + 17}, force=True)
    expect(page.locator(".st-key-open_run button:visible").first).to_be_visible()
    table.click(position={"x": 18, "y": 3 * 35 + 17}, force=True)
    page.locator(".st-key-compare_runs button:visible").first.click()
    page.wait_for_url("**/compare?runs=*")
    page.wait_for_function(RESTS)
    chosen = [list_runs(app.runs)[row].id for row in (0, 2)]
    assert sorted(page.evaluate(f"{COMPARISON}.runs.map((run) => run.id)")) == sorted(chosen)
    assert all(tile(page, run).locator(".tri-cells rect").count() == 4 for run in chosen)
    assert not without_help(page)


def test_a_moment_is_chosen_without_the_server_and_maps_and_numbers_agree_with_python(
    page: Page, address: str, compared: list[Compared]
) -> None:
    sent: list[object] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    open_comparison(page, address)
    page.locator("[data-testid=numbers] button[data-value=runs]").click()
    before = len(sent)
    moments = [
        ("end", 0.0),
        ("step", 9.0),
        ("step", 24.0),
        ("step", 30.0),
        ("budget", 5.0),
        ("budget", 9.0),
        ("time", 5.0),
    ]
    for kind, value in moments:
        choose_moment(page, kind, value)
        moment = Moment(kind, value)  # type: ignore[arg-type]
        told = page.evaluate(f"{COMPARISON}.numbers.table.rows.map((row) => row.cells)")
        for run, cells in zip(compared, told, strict=True):
            expected = summary_row(run, moment)
            for name, number in expected.items():
                near = number if number is None or isinstance(number, str) else pytest.approx(number, rel=1e-5)
                assert cells.get(name) == near, (run.label, moment, name)
            at = standing(run.record, moment)
            node = tile(page, run.info.id)
            assert ("tri-absent" in (node.get_attribute("class") or "")) is (at is None)
            if at is not None:
                written = node.locator(".tri-cell-texts text").all_text_contents()
                ranks = run.record.ranks[at.state]
                # Rows from the top: the last layer first.
                assert [int(text) for text in written] == [ranks[2], ranks[3], ranks[0], ranks[1]]
    assert len(sent) == before
    choose_moment(page, "step", 20)
    there = [(run.record, standing(run.record, Moment("step", 20))) for run in compared]
    expected_rho = agreement([record for record, _ in there], [at.state for _, at in there if at is not None])
    page.wait_for_function(RESTS)
    rho = page.evaluate(
        f"{COMPARISON}.runs.map((_, i) => {COMPARISON}.runs.map((_, j) => {COMPARISON}.agreement.rho(i, j)))"
    )
    np.testing.assert_allclose(np.array(rho, float), expected_rho, atol=1e-6)


def test_pointing_at_a_matrix_lights_it_in_every_map_and_a_pin_goes_along_to_play_and_back(
    page: Page, address: str, compared: list[Compared]
) -> None:
    open_comparison(page, address)
    first, second = compared[0], compared[2]
    tile(page, first.info.id).locator("rect[data-at='0,1']").hover()
    page.wait_for_function(f"() => {COMPARISON}.hovered === 'L1.v'")
    page.wait_for_function(RESTS)
    lit = page.locator(".tri-tile .tri-cell-hovered, .tri-difference .tri-cell-hovered")
    assert all(lit.nth(i).is_visible() for i in range(lit.count())) and lit.count() == len(compared) + 3 + 1
    for run in compared:
        assert tile(page, run.info.id).locator(".tri-tile-foot b").inner_text() == str(run.record.ranks[-1][3])
    assert "L1.v in every run" in page.locator("[data-testid=pinned]").inner_text()
    tile(page, second.info.id).locator("rect[data-at='1,0']").click()
    page.wait_for_function("() => location.search.includes('v.pin=L0.q')")
    page.locator("[data-testid=stTopNavLink], a", has_text="Play").first.click()
    page.wait_for_function(
        "() => document.querySelector('.tri-board:not(.tri-compare)')?.parentElement.triBoard.board?.pinned === 'L0.q'"
    )
    page.evaluate("document.querySelector('.tri-board').parentElement.triBoard.board.pin('L1.v')")
    page.locator("a", has_text="Compare").first.click()
    page.wait_for_function(f"() => {COMPARISON}?.pinned === 'L1.v'")
    page.wait_for_function("() => location.search.includes('v.pin=L1.v')")


def test_an_address_reopens_the_view_and_nonsense_in_it_is_passed_over(
    browser: Browser, page: Page, address: str, compared: list[Compared]
) -> None:
    open_comparison(page, address)
    pareto = page.get_by_test_id("pareto")
    choose_moment(page, "step", 5)
    expect(pareto).not_to_contain_text("different numbers of steps")
    choose_moment(page, "budget", 6)
    expect(pareto).to_contain_text("after different numbers of steps")
    first, _, other = compared[:3]
    for name, value in (("A", first.info.id), ("B", other.info.id)):
        page.get_by_label(f"Run or mean {name}").select_option(value)
    page.get_by_label("What is drawn").select_option("rank")
    page.get_by_label("Drawn against").select_option("time")
    tile(page, first.info.id).locator("rect[data-at='0,0']").click()
    view = f"(({{moment, pinned, choice}}) => JSON.stringify([moment, pinned, choice]))({COMPARISON})"
    page.wait_for_function("() => location.search.includes('v.pin=L1.q') && location.search.includes('v.x=time')")
    before, link = page.evaluate(view), page.url
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    again = context.new_page()
    open_comparison(again, link)
    assert again.evaluate(view) == before
    assert "v.by=budget&v.at=6" in again.url
    open_comparison(again, f"{address}&v.by=moon&v.at=x&v.pin=<b>&v.a=nobody&v.y=__proto__&v.mean=-1&v.kind=99")
    usual = again.evaluate(view)
    assert '"kind":"end"' in usual and '"a":null' in usual and '"y":"metric"' in usual and '"mean":10' in usual
    assert again.evaluate(f"{COMPARISON}.kind") == 0
    context.close()


SERIES = """async (t975) => {
  const {href} = document.querySelector("link[rel=modulepreload][href*='compare/series.js']");
  const {curve, front, spread, trailingMean} = await import(href);
  const {interval, churn, spearman} = await import(href.replace("series", "measures"));
  const [run] = COMPARISON.runs;
  const line = (x, y) => ({x, y, held: false});
  const lines = [line([0, 1, 2, 3], [0, 1, 2, 3]), line([0, 1, 2], [1, 1, 1])];
  return {
    against: ["rank", "parameters", "step", "time"].map((axis) => curve(run, "loss", axis)),
    stairs: curve(run, "rank", "step"),
    metric: curve(run, "metric", "time"),
    pinned: curve(run, "pinned", "step", {pin: "L1.v"}),
    mean: trailingMean({t: [0, 1, 2, 9], value: [4, 2, 0, 8], over: 1}, 3),
    bands: ["range", "confidence"].map((band) => spread(lines, band, t975)),
    alone: spread([line([0], [1])], "range", t975),
    front: front([3, 1, 2, 1, 4], [5, 1, 4, 2, 5], true),
    cheapest: front([3, 1, 2], [1, 3, 2], false),
    interval: interval([0, 2], t975),
    churn: churn([new Set([0]), new Set(), new Set([0, 1])]),
    rho: spearman([1, 1, 2, 3], [1, 2, 5, 5]),
  };
}""".replace("COMPARISON", COMPARISON)


def test_curves_bands_and_the_front_are_those_of_their_definition(page: Page, address: str) -> None:
    open_comparison(page, address)
    found = page.evaluate(SERIES, list(T_975))
    rank, parameters, step, time = found["against"]
    assert rank["x"] == [4, 5, 7, 8] and parameters["x"] == [40, 50, 70, 80]
    assert rank["y"] == parameters["y"] == pytest.approx([0.91, 0.81, 0.71, 0.61])  # each at the end of its state
    assert step["x"] == list(range(40)) and time["x"] == [0.5 * t for t in range(40)]
    assert found["stairs"] == {"x": [0, 9, 19, 29, 39], "y": [4, 5, 7, 8, 8], "held": True}
    assert found["metric"]["x"] == [0, 20] and found["pinned"]["y"] == [1, 1, 2, 2, 2]
    assert found["mean"] == [4, 3, 2, 8]
    spans, interval = found["bands"]
    assert (
        spans["x"] == [0, 1, 2]
        and spans["mean"] == [0.5, 1, 1.5]
        and spans["low"] == [0, 1, 1]
        and spans["high"] == [1, 1, 2]
    )
    assert interval["high"][0] == pytest.approx(0.5 + 12.706 * 0.5) and found["alone"] is None
    assert found["front"] == [3, 2, 0] and found["cheapest"] == [1, 2, 0]
    assert found["interval"] == {"mean": 1, "half": pytest.approx(12.706), "count": 2}
    assert found["churn"] == 0.5 and found["rho"] == pytest.approx(4 / 4.5)


def test_a_panel_out_of_sight_is_saved_as_it_would_be_drawn(page: Page, address: str) -> None:
    page.set_viewport_size({"width": 700, "height": 500})
    open_comparison(page, address)
    with page.expect_download() as download:
        # By script: the mouse would bring the panel into sight first.
        page.evaluate("document.querySelector('[data-testid=numbers] .tri-save').click()")
    names, *rows = csv.reader(download.value.path().read_text().splitlines())
    assert names[:5] == ["Group", "Runs", "Total rank", "Total rank ±", "Parameters"]
    assert [row[:3] for row in rows] == [["TriAdaptLoRA", "2", "7.5"], ["AdaLoRA", "2", "8"], ["LoRA", "2", "8"]]


def test_charts_are_drawn_without_plotly_until_the_mouse_comes_to_one(page: Page, address: str) -> None:
    open_comparison(page, address)
    assert page.evaluate("window.Plotly === undefined")
    curves = page.locator("[data-testid=curves] .tri-holder")
    curves.scroll_into_view_if_needed()
    page.wait_for_function(RESTS)
    assert "at the end" in (curves.get_attribute("aria-label") or "")
    curves.hover()
    expect(page.locator("[data-testid=curves] .js-plotly-plot .scatterlayer .trace").first).to_be_attached()
    assert page.evaluate("window.Plotly !== undefined")


MEASURED = """async () => {
  const {href} = document.querySelector("link[rel=modulepreload][href*='compare/series.js']");
  const {curve} = await import(href);
  const run = COMPARISON.runs[1];
  const own = ["rank", "pinned", "coverage", "precision", "entropy"];
  return {
    own: own.map((quantity) => curve(run, quantity, "step", {pin: "L1.v"}).x.length),
    rank: curve(run, "loss", "rank").x, parameters: curve(run, "metric", "parameters"),
    steps: curve(run, "parameters", "step"),
  };
}""".replace("COMPARISON", COMPARISON)


def test_a_run_without_a_rank_of_its_own_is_mapped_and_left_out_of_all_that_counts_rank(app: App, page: Page) -> None:
    states = {"triadaptlora": STATES["triadaptlora"], "surm": [[0, 0, 0, 0], [5, 7, 6, 8], [9, 7, 6, 8]]}
    ids = [store(app.runs, config(method, seed=7), rows) for method, rows in states.items()]
    infos = {info.id: info for info in list_runs(app.runs)}
    records = [(infos[run], read_record(RunReader(app.runs / run))) for run in ids]
    runs = side_by_side([(info, record) for info, record in records if record is not None])
    open_comparison(page, f"{app.url}/compare?runs={','.join(ids)}")
    for kind, value in (("end", 0.0), ("step", 15.0), ("budget", 5.0)):
        choose_moment(page, kind, value)
        told = page.evaluate(f"{COMPARISON}.numbers.table.rows.map((row) => row.cells)")
        for run, cells in zip(runs, told, strict=True):
            for name, number in summary_row(run, Moment(kind, value)).items():  # type: ignore[arg-type]
                near = number if number is None or isinstance(number, str) else pytest.approx(number, rel=1e-5)
                assert cells.get(name) == near, (run.label, kind, name)
    expect(tile(page, ids[1]).locator(".tri-tile-foot")).to_contain_text("never there")
    choose_moment(page, "end", 0)
    expect(tile(page, ids[1]).locator(".tri-tile-foot")).to_contain_text("effective rank 30")
    assert page.evaluate(f"{COMPARISON}.ceiling") == 4 and page.evaluate(f"{COMPARISON}.limits('budget').high") == 8
    assert page.evaluate(f"{COMPARISON}.agreement.rho(1, 1)") is None
    expect(page.get_by_test_id("agreement")).to_contain_text("No rank of its own: SURM.")
    expect(page.get_by_test_id("difference")).to_contain_text("cannot be subtracted from a rank")
    found = page.evaluate(MEASURED)
    assert found["own"] == [0] * 5 and found["rank"] == []
    assert found["parameters"]["x"] == [100] and len(set(found["steps"]["y"])) == 1
