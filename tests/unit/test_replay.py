"""The replay page: what is in it, how large it gets, and that nothing written into it can leave its place."""

from __future__ import annotations

import base64
import gzip
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from benchmarks.made_up_run import made_up_run
from triadapt.config import parse_config
from triadapt.events import RankEvent, Stamped, Started
from triadapt.figures.replay import BOARD_SCRIPTS, PAGE_SCRIPTS, classic_script, race_replay
from triadapt.methods.registry import AT_FIRST
from triadapt.runs.info import RunInfo
from triadapt.ui import __file__ as ui
from triadapt.views.frames import unpack
from triadapt.views.pieces import KINDS
from triadapt.views.replay import DETAILS, left_out, replay_frame, rounded, settings_table

Runs = list[tuple[RunInfo, list[Stamped]]]
MEGABYTE = 2**20


def race(matrices: int, steps: int, methods: tuple[str, ...] = AT_FIRST, **values: object) -> Runs:
    configs = [parse_config({"method": method, "steps": steps, **values}) for method in methods]
    infos = [
        RunInfo(
            id=f"20260102-030405-abcd-{config.method}", race="20260102-030405-abcd", name="A race", task="planted",
            method=config.method, state="finished", created=1.8e9, config=config.as_dict(),
        )
        for config in configs
    ]  # fmt: skip
    return [(info, made_up_run(config, matrices, 50)) for info, config in zip(infos, configs, strict=True)]


def frame_in(page: str) -> dict[str, object]:
    (text,) = re.findall(r'<script type="text/plain" id="frame">([^<]*)</script>', page)
    return unpack(gzip.decompress(base64.b64decode(text)))


def importances(pieces: dict[str, np.ndarray]) -> dict[int, bytes]:
    """The payload of each rank event by its step; in a replay every payload is one piece."""
    ends = np.cumsum(pieces["count"])
    return {
        int(t): pieces["data"][end - count : end].tobytes()
        for kind, t, count, end in zip(pieces["kind"], pieces["t"], pieces["count"], ends, strict=True)
        if KINDS[kind].startswith("rank")
    }


def test_a_race_of_usual_size_is_whole_and_below_400_kilobytes() -> None:
    runs = race(72, 600)
    page = race_replay(runs)
    assert len(page.encode()) < 400_000 and "To keep the file small" not in page
    frame = frame_in(page)
    assert [len(run["step"]["loss"]) for run in frame["runs"]] == [600] * 4  # type: ignore[attr-defined]
    events = [row.event for row in runs[0][1] if isinstance(row.event, RankEvent)]
    held = importances(frame["runs"][0]["pieces"])  # type: ignore[index]
    assert held == {event.step: event.scores.tobytes() for event in events}
    assert race_replay(runs) == page


def test_a_large_race_stays_below_two_megabytes_and_says_what_it_left_out() -> None:
    runs = race(222, 1300, interval=5, warmup=100)
    decisions = [sum(isinstance(row.event, RankEvent) for row in rows) for _, rows in runs]
    assert max(decisions) >= 170
    page = race_replay(runs)
    assert len(page.encode()) < 2 * MEGABYTE
    assert "To keep the file small: 1000 of 1300 losses a run, peaks kept; importances rounded to" in page
    held = frame_in(page)["runs"][2]["events"]  # type: ignore[index]
    events = [row.event for row in runs[2][1] if isinstance(row.event, RankEvent)]
    changes = held["ranks"]["changes"]
    assert changes.sum() == sum(np.count_nonzero(event.ranks != event.before) for event in events)
    last = held["ranks"]["before"].copy()
    for where, rank in zip(held["ranks"]["where"], held["ranks"]["rank"], strict=True):
        last[where] = rank
    np.testing.assert_array_equal(last, events[-1].ranks)
    held = importances(frame_in(page)["runs"][2]["pieces"])  # type: ignore[index]
    implied = [4 * (222 + len(event.unit_scores)) for event in events]  # what a part belongs to follows from the ranks
    assert [len(held[event.step]) for event in events] == implied


def test_the_poorest_detail_has_no_limit_and_every_one_is_poorer_than_the_last() -> None:
    assert DETAILS[-1].limit == float("inf")
    for richer, poorer in pairwise(DETAILS):
        assert richer.steps >= poorer.steps and richer.bits >= poorer.bits and richer.geometries >= poorer.geometries
    runs = race(6, 300, ("triadaptlora",))
    parts = [(info.id, 0, rows) for info, rows in runs]
    sizes = [len(replay_frame("a", parts, details=[detail])[0]) for detail in DETAILS]
    assert sizes[-1] < 0.75 * sizes[0]
    assert left_out(DETAILS[-1], [rows for _, rows in runs])[-1].startswith("no of ")


@pytest.mark.parametrize("bits", [2, 5, 12])
def test_rounding_an_importance_never_takes_it_across_the_threshold(bits: int) -> None:
    rng = np.random.default_rng(bits)
    values = (rng.normal(0, 1, 2000) * 10.0 ** rng.integers(-6, 6, 2000)).astype(np.float32)
    values[:3] = [np.nan, np.inf, -np.inf]
    for threshold in (0.0, float(values[7]), float(values[8]), 0.3, -0.3):
        near = rounded(values, bits, threshold)
        np.testing.assert_array_equal(near >= threshold, values >= threshold)
        np.testing.assert_array_equal(near[:3], values[:3])
        np.testing.assert_allclose(near[3:], values[3:], rtol=2.0**-bits)
    assert rounded(values, 23) is not None and (rounded(values[3:], 23) == values[3:]).all()


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_names_from_users_stay_text() -> None:
    evil = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(2)> $title ${frame}"
    ((info, rows),) = race(6, 40, ("lora",))
    started = rows[0].event
    assert isinstance(started, Started)
    named = [replace(matrix, name=evil, module=evil) for matrix in started.matrices]
    rows[0] = replace(rows[0], event=replace(started, matrices=named, metric=evil))
    config = {**info.config, "text": {"model": evil}}
    page = race_replay([(replace(info, name=evil, error=evil, config=config, task=evil), rows)])
    tags = Tags()
    tags.feed(page)
    assert [tag for tag, _ in tags.found].count("script") == 2 and "img" not in [tag for tag, _ in tags.found]
    assert not [attrs for _, attrs in tags.found if {"src", "href", "onerror"} & set(attrs)]
    assert "&lt;img src=x" in page and "alert(1)</script>" not in page
    assert frame_in(page)["matrices"][0]["modules"] == [evil]  # type: ignore[index]


def test_the_page_tells_what_it_shows() -> None:
    page = race_replay(race(6, 40, warmup=5, interval=5))
    assert "<title>A race</title>" in page and "2027-01-15" in page and "triadapt 0." in page
    assert "<tr><td>steps</td><td colspan=\"4\">40</td></tr>" in page  # fmt: skip
    assert "<td>method</td><td>triadaptlora</td><td>increlora</td>" in page
    assert settings_table([{"a": {"b": True}, "c": None}, {"a": {"b": False}}]) == [
        ("a.b", ["true", "false"]),
        ("c", [""]),
    ]


def test_the_script_has_no_modules_and_no_name_twice() -> None:
    script = classic_script()
    assert not re.search(r"^(import|export)\b", script, flags=re.MULTILINE)
    names = re.findall(r"^(?:class|(?:async )?function|const|let) (\w+)", script, flags=re.MULTILINE)
    assert len(names) == len(set(names))


def test_the_script_takes_every_file_of_the_board_but_the_loader() -> None:
    files = {path.name for path in Path(ui).parent.joinpath("board").glob("*.js")}
    assert files == {*BOARD_SCRIPTS, "load_plotly.js", "first_look.js", "figure.js"}
    page = Path(ui).parents[1] / "figures" / "replay_page"
    assert {path.name for path in page.iterdir()} == {*PAGE_SCRIPTS, "replay.html", "replay.css"}
