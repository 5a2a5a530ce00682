"""What a live run costs the browser: little is drawn between rank events, and never all the time."""

from __future__ import annotations

from typing import Any

import pytest
from board_harness import Race, Server
from conftest import wait_for
from playwright.sync_api import Page
from test_board import alt_texts, board, cached, deliver, open_page, race, server

pytestmark = pytest.mark.browser

__all__ = ["cached", "open_page", "race", "server"]

# From here on, `drawn` lists the panels that are given to Plotly.
COUNT = """() => {
  const {board} = where.triBoard;
  window.drawn = [];
  const count = (call) => (box, ...more) => {
    window.drawn.push(box.closest("section").dataset.testid);
    return call.call(window.Plotly, box, ...more);
  };
  board.Plotly = {...board.Plotly, react: count(board.Plotly.react), restyle: count(board.Plotly.restyle)};
}"""
# Where the newest step lies, where the tails of the losses end, and how far Plotly has drawn them.
ENDS = """() => {
  const {board} = where.triBoard;
  const {box, tail} = board.loss;
  const ends = [...tail.svg.childNodes].map((path) => Number(path.getAttribute("d").match(/.*[ML]([\\d.]+) /)[1]));
  const drawn = Math.max(...box.data.flatMap((trace) => trace.x));
  return {newest: box._fullLayout.xaxis.d2p(board.end), tails: ends, drawn};
}"""


def until_rested(page: Page) -> None:
    page.wait_for_function("!where.triBoard.board.frame")


def test_between_two_rank_events_curves_grow_without_plotly(open_page: Any, server: Server, race: Race) -> None:
    page = open_page()
    deliver(page, server, race.frame(401))
    page.evaluate(COUNT)
    for step in (405, 409, 413):
        deliver(page, server, race.frame(step, after=step - 4))
    assert set(page.evaluate("drawn")) <= {"matrix"}  # scores of the pinned matrix
    assert alt_texts(page)["loss"].startswith("Training loss at step 413: ")
    ends = page.evaluate(ENDS)
    assert ends["tails"] == pytest.approx([ends["newest"]] * 8, abs=0.1)
    assert ends["drawn"] == 401
    page.locator("[data-testid=loss] .tri-chart").hover()
    page.wait_for_function("drawn.includes('loss')")
    ends = page.evaluate(ENDS)
    assert (ends["tails"], ends["drawn"]) == ([], 413)


def test_a_curve_that_leaves_its_axes_is_drawn_anew(open_page: Any, server: Server, race: Race) -> None:
    page = open_page()
    deliver(page, server, race.frame(81))
    page.evaluate(COUNT)
    deliver(page, server, race.frame(400, after=81))
    assert "loss" in page.evaluate("drawn")
    assert page.evaluate(ENDS)["drawn"] == 400


def test_what_the_end_of_a_curve_shows_is_what_plotly_then_draws(open_page: Any, server: Server, race: Race) -> None:
    page = open_page()
    deliver(page, server, race.frame(435))
    deliver(page, server, race.frame(452, after=435))
    ends = """() => {
      const {budget, loss, metric} = where.triBoard.board;
      return [budget, loss, metric].map(({box, tail}) => [...tail.svg.querySelectorAll("[stroke-linecap=butt]")]
        .map((path) => box._fullLayout.yaxis.p2d(Number(path.getAttribute("d").match(/[\\d.]+$/)[0]))));
    }"""
    drawn = """() => {
      const {budget, loss, metric} = where.triBoard.board;
      return [budget, loss, metric].map(({box}) => box.data.filter((trace) => trace.meta && trace.mode !== "markers")
        .map((trace) => trace.y.at(-1)));
    }"""
    shown = page.evaluate(ends)
    page.evaluate("where.triBoard.board.touch('size')")
    until_rested(page)
    for above, below in zip(shown, page.evaluate(drawn), strict=True):
        assert sorted(above) == pytest.approx(sorted(below), rel=0.01)


def test_panels_that_drew_for_long_wait_with_new_data_but_not_with_what_the_visitor_does(
    open_page: Any, server: Server, race: Race
) -> None:
    page = open_page("?paced")
    deliver(page, server, race.frame(130))
    page.evaluate(COUNT)
    page.evaluate("() => where.triBoard.board.pace.spent(1000, performance.now())")
    server.frames["next"] = race.frame(170, after=130)
    page.evaluate("deliverNamed('next')")
    page.wait_for_function("where.triBoard.board.resting")
    assert board(page)["step"] == "170"
    assert page.evaluate("drawn") == []
    assert page.evaluate("where.triBoard.board.rankMap.drafted")
    page.evaluate("where.triBoard.board.scrub(100)")
    page.wait_for_function("drawn.includes('why')")
    wait_for(lambda: "at step 100" in alt_texts(page)["rank-map"])


@pytest.mark.parametrize(("training", "expected"), [(True, 0.1), (False, 0.4)])
def test_drawing_takes_its_share_of_the_time_and_no_more(open_page: Any, training: bool, expected: float) -> None:
    page = open_page()
    waits = page.evaluate(
        """async (training) => {
          const {Pace} = await import("/static/board-1/pace.js");
          Pace.share = 0.1;
          const pace = new Pace();
          pace.busy = training;
          const panel = {holder: true};
          let spent = 0;
          let now = 0;
          while (now < 60000) {
            const data = new Set(["data"]);
            if (pace.due(panel, data, now).size) {
              now += 50;
              spent += 50;
              pace.spent(50, now);
            } else now += pace.wait(panel, data, now);
          }
          pace.spent(500, now);
          const data = new Set(["data", "hover"]);
          const hovered = [...pace.due(panel, data, now)];
          return [spent / now, hovered, [...data], [...pace.due(panel, new Set(["step", "hand"]), now)]];
        }""",
        training,
    )
    share, hovered, left, scrubbed = waits
    assert share == pytest.approx(expected, abs=0.01)
    assert (hovered, left, scrubbed) == (["hover"], ["data"], ["step", "hand"])
