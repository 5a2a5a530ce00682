"""A run without a rank of its own, whose matrices share factors, on the board beside one that was given its ranks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from board_harness import Server, made_up_run
from test_board import RESTED, alt_texts, cached, deliver, open_page, scrub, server

from triadapt.events import Event, Geometry, Stamped, Started, measured_ranks
from triadapt.views.board import board_frame, run_frame

pytestmark = pytest.mark.browser
__all__ = ["cached", "open_page", "server"]

SINGULAR, USERS = 64, [0, 1, 6, 7]


def measured_run(steps: int = 120) -> list[Stamped]:
    """Made-up VeRA: every geometry finds larger effective ranks, four matrices share their factors."""
    events: list[Event] = []
    ranks = np.zeros(24, np.uint16)
    for row in made_up_run("lora", steps=steps):
        event = row.event
        if isinstance(event, Started):
            event = replace(
                event, method="vera", rank_kind="measured", shared=[USERS], start_total_rank=0, target_total_rank=0
            )
        if isinstance(event, Geometry):
            values = np.tile(np.linspace(1, 0.1, SINGULAR, dtype=np.float32), 24)
            event = replace(event, ranks=np.full(24, SINGULAR, np.uint16), singular=values)
            before, ranks = ranks, np.arange(20, 44, dtype=np.uint16) + event.step // 50
            events += [event, measured_ranks(event.step - 1, before, ranks, 1000, 8000)]
            continue
        events.append(event)
    return [Stamped(seq, seq / 90, event) for seq, event in enumerate(events, start=1)]


def test_every_panel_says_that_its_rank_is_a_measured_one(open_page: Any, server: Server) -> None:
    page = open_page()
    runs = {"vera": measured_run(), "lora": made_up_run("lora", steps=120)}
    parts = [run_frame(name, rows, after=0, generation=1, status={"state": "finished"}) for name, rows in runs.items()]
    deliver(page, server, board_frame("race", parts, full=True))
    scrub(page, 119)
    page.wait_for_function(RESTED)
    held = page.evaluate("Array.from(where.triBoard.board.focus.ranksAt(119))")
    assert held == [rank + 2 for rank in range(20, 44)]
    # A rank of 45 must not wash out the ranks that were given, so the scale is theirs.
    assert page.evaluate("where.triBoard.board.rankMap.top") == 4
    texts = alt_texts(page)
    assert "VeRA has effective rank" in texts["rank-map"] and "LoRA holds rank 48" in texts["rank-map"]
    assert "VeRA has no rank of its own" in texts["history"]
    health = page.locator("[data-testid=health]").inner_text()
    assert f"no rank of its own; effective rank of dW {sum(held)} in all" in health and "events fired" not in health
    assert "VeRA: no rank of its own" in page.locator("[data-testid=total-rank] .tri-note").inner_text()
    assert page.evaluate("where.triBoard.board.budget.box.data.filter((one) => one.name === 'VeRA').length") == 0
    words = page.locator("[data-testid=why] .tri-words").inner_text()
    assert words.startswith("VeRA has no rank to grant or take")
    assert "effective rank" in page.locator(".tri-chip").first.inner_text()
    assert page.evaluate("where.triBoard.board.scrubber.board.runs[0].decisions.length") == 0


def test_factors_that_are_shared_are_drawn_once_with_those_that_use_them(open_page: Any, server: Server) -> None:
    page = open_page()
    part = run_frame("vera", measured_run(), after=0, generation=1, status={"state": "finished"})
    deliver(page, server, board_frame("race", [part], full=True))
    panel = page.locator("[data-testid=shared]")
    assert panel.locator("figure").count() == 1 and panel.locator("rect").count() == 24
    assert "used by 4 of 24 matrices" in panel.inner_text()
    fills = panel.locator("rect").evaluate_all("all => all.map((one) => one.getAttribute('fill'))")
    assert sorted(fills.count(fill) for fill in set(fills)) == [4, 20]
    panel.locator("rect", has=page.locator("title", has_text="L1.q")).click()
    page.wait_for_function("where.triBoard.board.pinned === 'L1.q'")
    page.wait_for_function(RESTED)
    note = page.locator("[data-testid=matrix] .tri-note").inner_text()
    assert "effective rank 28" in note and "shares its factors with L0.q, L0.k, L1.k" in note


def test_a_race_without_shared_factors_has_no_such_panel(open_page: Any, server: Server) -> None:
    page = open_page()
    part = run_frame("lora", made_up_run("lora", steps=60), after=0, generation=1, status={"state": "finished"})
    deliver(page, server, board_frame("race", [part], full=True))
    assert page.locator("[data-testid=shared]").is_hidden()
