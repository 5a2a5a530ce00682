"""Panels of the board that look over all events: history, importance, used rank, slow motion."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from board_harness import MODULES, Race, Server
from playwright.sync_api import Page
from test_board import RESTED, alt_texts, board, cached, deliver, open_page, race, scrub, server

from triadapt.events import Geometry, RankEvent
from triadapt.methods.effective_rank import effective_ranks

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
            if found["triplets"]:  # at the threshold or below: at least that triplet was lost
                np.testing.assert_array_equal(margin <= 0, event.ranks < event.before)
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
    note = page.locator("[data-testid=rank-map] .tri-note")
    # At 160 an event was measured as it happened, which is after 161 steps; at 220 one was not.
    for step, measured, words in ((160, 161, "to 161 steps"), (220, 200, "after 200 steps; ?: changed since")):
        scrub(page, step)
        rows = race.until("triadaptlora", step + 1)
        event = next(r.event for r in rows[::-1] if isinstance(r.event, RankEvent))
        record = next(r.event for r in rows[::-1] if isinstance(r.event, Geometry))
        assert (event.step, record.step) == (step, measured)
        used = effective_ranks(record.singular, record.ranks)
        expected = [f"{a}/{u if a == b else '?'}" for a, b, u in zip(event.ranks, record.ranks, used, strict=True)]
        assert np.ravel(page.evaluate("where.triBoard.board.rankMap.box.data[0].text")).tolist() == expected
        assert note.inner_text().endswith(words)
        grew = event.chosen[0]
        page.evaluate("(label) => where.triBoard.board.pin(label)", f"L{grew // 6}.{MODULES[grew % 6]}")
        page.wait_for_function(RESTED)
        known = used[grew] if step == 160 else "?"
        assert f", used {known}" in page.locator("[data-testid=matrix] .tri-note").inner_text()


def test_every_rule_stands_on_one_picture_each_at_its_own_threshold(open_page: Any, server: Server, race: Race) -> None:
    page = open_page(**WINDOW)
    deliver(page, server, race.frame(430))
    scrub(page, 170)
    why = page.locator("[data-testid=why]")
    why.locator("button[data-value=all]").click()
    page.wait_for_function(RESTED)
    assert why.locator(".tri-words").is_hidden()
    strips = page.evaluate(
        "where.triBoard.board.why.all.strips.map(({event, line, shown: {order, heights, passed}, top, high, left}) =>"
        " ({t: event.t, line, order, heights, passed, top, high, left}))"
    )
    for strip, method in zip(strips, ("triadaptlora", "increlora", "adalora"), strict=True):
        event = [row.event for row in race.until(method, 170) if isinstance(row.event, RankEvent)][-1]
        scores = event.unit_scores if method == "adalora" else event.scores
        assert strip["t"] == event.step == 160 and strip["order"] == np.argsort(-scores, kind="stable").tolist()
        passed = scores > event.threshold if method == "adalora" else scores >= event.threshold
        assert strip["passed"] == passed[strip["order"]].tolist() == (np.array(strip["heights"]) > 0).tolist()
        assert f"{event.allowed} of {len(scores)}" in strip["line"]
        away = np.abs(scores - event.threshold)
        typical = np.sqrt(away / np.sort(away)[len(away) // 2])[strip["order"]]
        np.testing.assert_allclose(np.abs(strip["heights"]), np.clip(typical, 0.18, 2.5), rtol=1e-3)
    lines = page.evaluate("where.triBoard.board.why.box.layout.shapes.map((shape) => [shape.yref, shape.y0, shape.y1])")
    assert lines == [["y", 0, 0], ["y2", 0, 0], ["y3", 0, 0]]
    box, second = page.locator("[data-testid=why] .tri-chart").bounding_box(), strips[1]
    assert box is not None
    page.mouse.move(box["x"] + second["left"] + 8, box["y"] + second["top"] + second["high"] / 2, steps=2)
    best = second["order"][0]
    label = f"L{best // 6}.{MODULES[best % 6]}"
    page.wait_for_function("(label) => where.triBoard.board.hovered === label", arg=label)
    assert f"{label} IncreLoRA, place 1 of 24" in why.locator(".tri-tip").inner_text()
    page.mouse.down()
    page.mouse.up()
    page.wait_for_function("(label) => where.triBoard.board.pinned === label", arg=label)
    assert page.evaluate("where.triBoard.board.focus.id") == "increlora"
    page.mouse.move(5, 5)
    scrub(page, 30)
    assert "No rule has decided anything up to step 30." in why.inner_text()
    why.locator("button[data-value=one]").click()
    scrub(page, 170)
    assert why.locator(".tri-words").inner_text().startswith("Step 160, linear rule: ")
    assert page.evaluate("where.triBoard.board.why.box.data.map((trace) => trace.type)") == ["bar"]


def test_the_inside_of_a_matrix_is_told_by_what_grew_what_waits_and_what_is_gone(
    open_page: Any, server: Server, race: Race
) -> None:
    page = open_page(**WINDOW)
    deliver(page, server, race.frame(430))
    found = page.evaluate(
        """async () => {
          const {blocksOf, tripletsOf} = await import("/static/board-1/core.js");
          const {geometrySlices} = await import("/static/board-1/matrix.js");
          const runs = where.triBoard.board.runs;
          runs[1].started.config = {method: "increlora", add_r: 2, increlora: {advance_learning: true}};
          const each = (run, tell) => run.started.matrices.map((_, i) => run.geometry.map((one) => tell(run, i, one)));
          const triplets = (run, i, one) => tripletsOf(run, i, one, geometrySlices(one, i, "diagonal").core);
          const states = (...of) => triplets(...of).map(({state}) => state);
          return [each(runs[0], blocksOf), each(runs[1], states), each(runs[2], states)];
        }"""
    )
    for method, matrices in zip(("triadaptlora", "increlora", "adalora"), found, strict=True):
        events = [row.event for row in race.until(method, 430) if isinstance(row.event, RankEvent)]
        records = [row.event for row in race.until(method, 430) if isinstance(row.event, Geometry)]
        for i, told in enumerate(matrices):
            for record, inside in zip(records, told, strict=True):
                before = [event for event in events if event.step < record.step]
                if method == "triadaptlora":
                    grown = [event for event in before if i in event.chosen]
                    assert [block["step"] for block in inside] == [None, *(event.step for event in grown)]
                    assert [block["to"] for block in inside] == list(range(1, record.ranks[i] + 1))
                else:
                    assert inside.count("in use") == record.ranks[i]
                    open_budget = not before or before[-1].total_rank < 48
                    assert inside.count("in reserve") == (2 if method == "increlora" and open_budget else 0)
                    assert inside.count("pruned") == (3 - record.ranks[i] if method == "adalora" and before else 0)
    page.evaluate("where.triBoard.board.scrub(200)")
    page.wait_for_function(RESTED)
    assert "steps they grew at" in page.evaluate("JSON.stringify(where.triBoard.board.matrix.box.layout.annotations)")


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


def test_what_is_frozen_is_still_used_and_to_freeze_nothing_is_no_fault(open_page: Any) -> None:
    page = open_page()
    found = page.evaluate(
        """async () => {
          const {usedAt} = await import("/static/board-1/effective.js");
          const {healthParts} = await import("/static/board-1/health.js");
          const record = {t: 2, ranks: [2, 1], singular: new Float32Array([1, 1, 1])};
          const {whyWords} = await import("/static/board-1/why_words.js");
          const of = (allocation, planned = [], events = [], total_step = 9) => ({
            started: {allocation, planned, start_total: 3, target_total: 2, total_step, label: "A", matrices: [0, 1]},
            events, decisions: events.filter((event) => event.rule !== "saved"), geometry: [record], status: {},
            size: 2, ranksAt: () => [1, 1], startRanks: [2, 1],
          });
          const start = {t: 0, rule: "saved", total: 3, ranks: [2, 1], before: [2, 1], scores: [], units: []};
          const uneven = of("freezes", [4, 8], [start, {t: 4, rule: "budget", total: 2}]);
          return [
            usedAt(of("freezes"), 5), usedAt(of("grows"), 5), healthParts(of("freezes"), 8),
            healthParts(of("freezes", [], [start]), 8), healthParts(uneven, 2), healthParts(uneven, 5),
            healthParts(of("grows", [], [start], 1), 0), whyWords(uneven, start),
          ];
        }"""
    )
    assert found == [
        {"t": 2, "used": [2, 1], "older": False}, {"t": 2, "used": [None, 1], "older": True},
        ["nothing is frozen, total 3"], ["nothing is frozen, total 3"],
        ["0 of 2 events fired", "total 3 of 2", "budget not yet reached"],
        ["1 of 2 events fired", "total 2 of 2", "budget reached at step 4"],
        ["an adapter as it was saved, total 3"],
        "A begins with total rank 3, unevenly shared; it has not decided anything yet.",
    ]  # fmt: skip


def test_words_tell_ties_and_margins(open_page: Any) -> None:
    page = open_page()
    words = page.evaluate(
        """async () => {
          const {whyWords} = await import("/static/board-1/why_words.js");
          const matrices = ["q", "k", "v"].map((module) => ({layer: 0, module, planted: null}));
          const started = {label: "G", allocation: "grows", planned: [1], start_total: 3, target_total: 5, matrices};
          const run = {size: 3, started, status: {}, geometry: []};
          const tell = (scores, chosen) => whyWords(run, event(scores, chosen));
          const event = (scores, chosen) => ({
            t: 1, rule: "linear", threshold: 4, allowed: 1, total: 4, scores, chosen, units: [],
            before: [1, 1, 1], ranks: [2, 1, 1],
          });
          return [tell([4, 3, 1], [0]), tell([4, 4, 1], [0]), tell([4, 4, 1], [0, 1])];
        }"""
    )
    assert "The last in, L0.q, has a margin of 1 (33.3 % of the range of scores); L0.k missed it." in words[0]
    assert "L0.k ties with L0.q, but only 1 may grow." in words[1]
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


def test_while_the_step_moves_slow_panels_glance_and_at_rest_all_show_the_last_step(
    open_page: Any, server: Server, race: Race
) -> None:
    page = open_page(**WINDOW)
    deliver(page, server, race.frame(599, state="finished"))
    plain = "() => {const {why, matrix} = where.triBoard.board; return [why.box.data[0].y, matrix.box.data.at(-3).z]; }"
    scrub(page, 100)
    moving = page.evaluate(
        """async () => {
          const {board} = where.triBoard;
          for (const panel of [board.why, board.matrix, board.rankMap, board.history]) panel.cost = 100;
          const input = where.querySelector("input[type=range]");
          const bars = board.why.box.data[0];
          const seen = [];
          for (let step = 110; step <= 520; step += 10) {
            input.value = step;
            input.dispatchEvent(new Event("input"));
            board.pace.movedAt = performance.now() + 1e6; // a hand that never rests, however slow the machine
            await new Promise(requestAnimationFrame);
            seen.push([
              step, (board.rankMap.painted || board.rankMap.shown).join(),
              board.rankMap.maps.map(({run}) => `${run.eventAt(step)} `).join(),
              board.why.box.data[0] === bars, board.why.veil.hidden, board.matrix.veil.hidden,
              board.why.words.textContent, board.history.column.style.transform,
            ]);
          }
          board.pace.movedAt = performance.now();
          board.touch();
          return seen;
        }"""
    )
    steps, painted, expected, still, why_clear, matrix_clear, words, columns = zip(*moving, strict=True)
    assert painted == expected
    assert all(still) and not why_clear[-1] and not matrix_clear[-1]
    assert len(set(words)) > 5 and len(set(columns)) > 5
    page.wait_for_function(RESTED)
    shown, texts = page.evaluate(plain), alt_texts(page)
    assert page.evaluate("[...where.querySelectorAll('.tri-veil')].every((veil) => veil.hidden)")
    assert words[-1] == page.locator(".tri-words").inner_text().strip()
    assert board(page)["step"] == str(steps[-1])
    page.evaluate("where.triBoard.board.touch('size')")
    page.wait_for_function(RESTED)
    assert page.evaluate(plain) == shown and alt_texts(page) == texts
    drawn = page.evaluate("where.triBoard.board.rankMap.box.data.map((trace) => trace.z)")
    events = [row.event for row in race.until("triadaptlora", 520) if isinstance(row.event, RankEvent)]
    np.testing.assert_array_equal(np.ravel(drawn[0]), events[-1].ranks)
    np.testing.assert_allclose(shown[0], np.sort(events[-1].scores)[::-1], rtol=1e-6)


def test_while_it_plays_slow_panels_skip_steps_and_end_at_the_end(open_page: Any, server: Server, race: Race) -> None:
    page = open_page(**WINDOW)
    deliver(page, server, race.frame(599, state="finished"))
    page.evaluate(
        "() => { const {board} = where.triBoard; board.why.cost = 1e9; board.scrub(500); board.scrubber.start(); }"
    )
    page.wait_for_function("where.triBoard.board.step > 520")
    page.wait_for_function("where.triBoard.board.following")
    page.wait_for_function(RESTED)
    assert page.evaluate("where.triBoard.board.why.veil.hidden")
    event = [row.event for row in race.until("triadaptlora", 599) if isinstance(row.event, RankEvent)][-1]
    bars = page.evaluate("where.triBoard.board.why.box.data[0].y")
    np.testing.assert_allclose(bars, np.sort(event.scores)[::-1], rtol=1e-6)
