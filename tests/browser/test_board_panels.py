"""Panels of the board that look over all events: history, importance, used rank, slow motion."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from board_harness import Race, Server
from playwright.sync_api import Page
from test_board import RESTED, alt_texts, board, cached, deliver, open_page, race, scrub, server

from triadapt.events import Geometry, RankEvent
from triadapt.views.effective_rank import effective_ranks

pytestmark = pytest.mark.browser

__all__ = ["cached", "open_page", "race", "server"]
WINDOW = {"viewport": {"width": 1400, "height": 1500}}


def history_cell(page: Page, row: int, column: int) -> tuple[float, float]:
    place: list[float] = page.evaluate(
        "([row, column]) => { const h = where.triBoard.board.history; const b = h.box.getBoundingClientRect();"
        " const {xaxis, yaxis} = h.box._fullLayout; return [b.x + xaxis._offset + xaxis.d2p(column),"
        " b.y + yaxis._offset + yaxis.d2p(row)]; }",
        [row, column],
    )
    return place[0], place[1]


def test_history_holds_all_ranks_and_a_click_pins_and_goes_there(open_page: Any, server: Server, race: Race) -> None:
    page = open_page(**WINDOW)
    deliver(page, server, race.frame(430))
    events = [row.event for row in race.until("triadaptlora", 430) if isinstance(row.event, RankEvent)]
    drawn = np.array(page.evaluate("where.triBoard.board.history.box.data[0].z"))
    np.testing.assert_array_equal(drawn, np.stack([events[0].before, *(event.ranks for event in events)], axis=1))
    page.mouse.move(*history_cell(page, 8, 3), steps=3)
    page.wait_for_selector(".tri-tip:visible")
    event = events[2]
    tip = page.locator(".tri-tip").inner_text()
    assert f"L1.v, step {event.step}" in tip and "threshold" in tip
    assert page.locator("[data-testid=rank-map] .tri-hovered").count() == 4
    page.mouse.down()
    page.mouse.up()
    page.wait_for_function(f"where.triBoard.board.step === {event.step}")
    assert page.evaluate("where.triBoard.board.pinned") == "L1.v"
    page.mouse.move(5, 5)
    page.wait_for_function(RESTED)
    page.evaluate("where.triBoard.board.setFocus('lora')")
    page.wait_for_function(RESTED)
    assert "LoRA never changes a rank" in alt_texts(page)["history"]
    assert "LoRA scores no matrix" in alt_texts(page)["importance"]


def test_importance_over_time_draws_what_decided(open_page: Any, server: Server, race: Race) -> None:
    page = open_page(**WINDOW)
    deliver(page, server, race.frame(430))
    series = "(await import('/static/board-1/importance_series.js')).importanceSeries"
    for i, method in enumerate(("triadaptlora", "increlora", "adalora")):
        events = [row.event for row in race.until(method, 430) if isinstance(row.event, RankEvent)]
        at = list(race.runs).index(method)
        found = page.evaluate(
            f"async (i) => {{ const s = {series}(where.triBoard.board.runs[i]);"
            " return {values: s.values.map((row) => Array.from(row)), counts: s.counts, triplets: s.triplets}; }",
            at,
        )
        assert found["triplets"] is (i == 2)
        np.testing.assert_array_equal(
            found["counts"], [sum(m in event.chosen for event in events) for m in range(len(events[0].ranks))]
        )
        for values, event in zip(found["values"], events, strict=True):
            margin = np.array(values, np.float32) - np.float32(event.threshold)
            if found["triplets"]:  # below the threshold: at least that triplet was lost
                np.testing.assert_array_equal(margin < 0, event.ranks < event.before)
            else:
                assert set(event.chosen) <= set(np.flatnonzero(margin >= 0))
    for view in ("rank", "margin", "chosen"):
        page.locator(f"[data-testid=importance] button[data-value={view}]").click()
        page.wait_for_function(RESTED)
        kinds = page.evaluate("where.triBoard.board.importance.box.data.map((trace) => trace.type)")
        assert kinds == (["bar"] if view == "chosen" else ["scatter"] * len(kinds))


def test_used_rank_agrees_with_python_and_is_not_told_where_the_rank_changed_since(
    open_page: Any, server: Server, race: Race
) -> None:
    page = open_page(**WINDOW)
    deliver(page, server, race.frame(430))
    for at, method in enumerate(race.runs):
        records = [row.event for row in race.until(method, 430) if isinstance(row.event, Geometry)]
        found = page.evaluate(
            "async (i) => { const {effectiveRanks} = await import('/static/board-1/effective.js');"
            " return where.triBoard.board.runs[i].geometry.map(effectiveRanks); }",
            at,
        )
        for counts, record in zip(found, records, strict=True):
            np.testing.assert_array_equal(counts, effective_ranks(record.singular, record.ranks))
    page.locator("[data-testid=rank-map] button:text-is('used')").click()
    scrub(page, 160)
    page.wait_for_function(RESTED)
    ranks = next(r.event for r in race.until("triadaptlora", 160)[::-1] if isinstance(r.event, RankEvent)).ranks
    record = next(r.event for r in race.until("triadaptlora", 160)[::-1] if isinstance(r.event, Geometry))
    used = effective_ranks(record.singular, record.ranks)
    expected = [f"{a}/{u if a == b else '?'}" for a, b, u in zip(ranks, record.ranks, used, strict=True)]
    assert np.ravel(page.evaluate("where.triBoard.board.rankMap.box.data[0].text")).tolist() == expected
    assert f"at step {record.step}; ?: changed since" in page.locator("[data-testid=rank-map] .tri-note").inner_text()


def test_slow_motion_shows_an_event_in_four_beats_without_moving_by_itself_where_motion_is_unwanted(
    open_page: Any, server: Server, race: Race
) -> None:
    page = open_page(reduced_motion="reduce", **WINDOW)
    deliver(page, server, race.frame(430))
    scrub(page, 160)
    why = page.locator("[data-testid=why]")
    for method, last in (("triadaptlora", "grow"), ("adalora", "cut")):
        page.evaluate("(id) => where.triBoard.board.setFocus(id)", method)
        page.wait_for_function(RESTED)
        before = why.locator(".tri-words").inner_text()
        why.locator("button:text-is('slow motion')").click()
        for beat, name in enumerate(("score", "sort", "threshold", last), start=1):
            assert why.locator(".tri-words").inner_text().startswith(f"{beat} of 4, {name}: ")
            if beat < 4:
                why.locator("button:text-is('next')").click()
        assert "→" in why.locator(".tri-words").inner_text()
        why.locator("button:text-is('stop')").click()
        page.wait_for_function(RESTED)
        assert why.locator(".tri-words").inner_text() == before


def test_words_tell_ties_and_margins(open_page: Any) -> None:
    page = open_page()
    words = page.evaluate(
        """async () => {
          const {whyWords} = await import("/static/board-1/why_words.js");
          const matrices = ["q", "k", "v"].map((module) => ({layer: 0, module, planted: null}));
          const started = {label: "G", allocation: "grows", planned: [1], start_total: 3, target_total: 5, matrices};
          const tell = (scores, chosen) => whyWords({size: 3, started}, event(scores, chosen));
          const event = (scores, chosen) => ({
            t: 1, rule: "linear", threshold: 4, allowed: 1, total: 4, scores, chosen, units: [],
            before: [1, 1, 1], ranks: [2, 1, 1],
          });
          return [tell([4, 3, 1], [0]), tell([4, 4, 1], [0]), tell([4, 4, 1], [0, 1])];
        }"""
    )
    assert "The last in, L0.q, has a margin of 1 (25 %); L0.k missed it." in words[0]
    assert "L0.k ties with L0.q, but the budget allowed no more." in words[1]
    assert "A tie at the threshold let 2 grow where 1 may." in words[2]


def test_a_panel_out_of_sight_waits_and_is_drawn_when_it_comes_into_view(
    open_page: Any, server: Server, race: Race
) -> None:
    page = open_page(viewport={"width": 700, "height": 600})
    deliver(page, server, race.frame(430))
    assert page.evaluate("where.triBoard.board.importance.box.data === undefined")
    scrub(page, 200)
    assert board(page)["step"] == "200"
    page.locator("[data-testid=importance]").scroll_into_view_if_needed()
    page.wait_for_function("where.triBoard.board.importance.box.data && !where.triBoard.board.frame")
    assert "at step 200" in alt_texts(page)["importance"]
