"""A run that starts with ranks of its own, as LoRA does when it was told where rank is needed, on the board."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from board_harness import Server, made_up_run
from test_board import alt_texts, cached, deliver, open_page, scrub, server

from triadapt.events import Event, Geometry, Stamped, Started, saved_ranks
from triadapt.methods.lora.placement import planted_ranks
from triadapt.views.board import board_frame, run_frame

pytestmark = pytest.mark.browser
__all__ = ["cached", "open_page", "server"]


def told_run(steps: int = 120) -> list[Stamped]:
    """Made-up LoRA whose whole rank is on the planted matrices: 48 ranks over 5 of 24."""
    events: list[Event] = []
    ranks = np.zeros(0, np.uint16)
    for row in made_up_run("lora", steps=steps):
        event = row.event
        if isinstance(event, Geometry):
            singular = np.linspace(1, 0.1, int(ranks.sum()), dtype=np.float32)
            event = replace(event, ranks=ranks, singular=singular)
        events.append(event)
        if isinstance(event, Started):
            planted = [matrix.planted_rank or 0 for matrix in event.matrices]
            ranks = planted_ranks(event.start_total_rank, planted, [64] * len(planted))
            events.append(saved_ranks(ranks, event.trainable_parameters))
    return [Stamped(seq, seq / 90, event) for seq, event in enumerate(events, start=1)]


def test_every_panel_takes_the_ranks_of_the_start_and_calls_them_no_decision(open_page: Any, server: Server) -> None:
    rows = told_run()
    started = rows[0].event
    assert isinstance(started, Started)
    bare = next(matrix for matrix in started.matrices if not matrix.planted_rank)
    page = open_page()
    early = run_frame("lora", rows[:3], after=0, generation=1, status={"state": "running"})
    deliver(page, server, board_frame("race", [early], full=True))
    whole = run_frame("lora", rows, after=0, generation=1, status={"state": "finished"})
    deliver(page, server, board_frame("race", [whole], full=True))
    for step in (0, 60, 119):
        scrub(page, step)
        texts = alt_texts(page)
        health = page.locator("[data-testid=health]").inner_text()
        assert "fixed ranks, total 48" in health
        assert "covers 100 % of the planted rank, 100 % of its rank on planted matrices" in health.replace("\xa0", " ")
        assert "events fired" not in health
        assert "LoRA never changes a rank" in texts["history"]
        words = page.locator("[data-testid=why] .tri-words").inner_text()
        assert words == "LoRA puts rank 48 on 5 of 24 matrices and never changes it."
        assert "event 1" not in page.locator("[data-testid=why]").inner_text()
    held = page.evaluate("Array.from(where.triBoard.board.focus.ranksAt(60))")
    assert held == planted_ranks(48, [m.planted_rank or 0 for m in started.matrices], [64] * 24).tolist()
    assert page.evaluate("where.triBoard.board.focus.decisions.length") == 0
    assert page.locator(".tri-scrubber path").count() == 0
    page.evaluate("(label) => where.triBoard.board.pin(label)", f"L{bare.layer}.{bare.module}")
    scrub(page, 100)
    assert "Singular values of its change after 100 steps: none." in alt_texts(page)["matrix"]
