"""What the board says of an allocation, against the numbers that were stored of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from board_harness import Server
from made_up_decisions import made_up_decisions
from numpy.typing import NDArray
from test_board import cached, open_page, server

import triadapt.recorded
from triadapt.events import Geometry, RankEvent, Stamped, Started
from triadapt.runs.bundle import read_bundle
from triadapt.views.board import board_frame, run_frame

pytestmark = pytest.mark.browser
__all__ = ["cached", "open_page", "server"]

EVENTS = 200
NUMBER = r"−?\d[\d.]*(?:e−?\d+)?"
ORDINALS = ["", "", "second ", "third ", "fourth ", "fifth ", "sixth ", "seventh ", "eighth ", "ninth ", "tenth "]
MARGIN = rf"(?P<gap>{NUMBER}) \((?P<share>{NUMBER}|below 0\.01) % of the range of scores\)"
TOTAL = r" Total rank (?P<total>\d+)(?: of |, in the end )(?P<target>\d+)\."
GROWTH = re.compile(
    rf"(?:no matrix may grow(?P<none>: the budget is used up)?\.|(?P<allowed>\d+) of (?P<n>\d+) matrices may grow; the "
    rf"(?P<place>\w+ )?largest importance(?: among the (?P<open>\d+) not yet at full size)? "
    rf"is (?:that of (?P<best>[\w.]+ \({NUMBER}\))"
    rf"|(?P<threshold>{NUMBER}); (?:no matrix grew(?:: the budget is used up)?|(?P<chosen>.+?) reached it))"
    rf"(?:\.(?: The last in, (?P<last>[\w.]+), has a margin of {MARGIN}; (?P<missed>[\w.]+) missed it\.)?"
    rf"(?: A tie at the threshold let (?P<grew>\d+) grow where \d+ may\.)?"
    rf"|; (?P<too>[\w.]+) reached it too, but the budget allowed no more\."
    rf"|; (?P<tied>[\w.]+) ties with (?P<with>[\w.]+), but only (?P<only>\d+) may grow\.)){TOTAL}"
)
PRUNING = re.compile(
    rf"the budget keeps (?P<kept>\d+) of (?P<units>\d+) triplets"
    rf"(?:, those with an importance above (?P<threshold>{NUMBER}))?; "
    rf"(?:(?P<gone>\d+) ranks? (?:was|were) pruned: (?P<lost>.+?)(?: and (?P<more>\d+) more lost some)?"
    rf"|no matrix lost rank)\."
    rf"(?: The weakest kept, of (?P<last>[\w.]+), is {MARGIN} ahead of the strongest cut, of (?P<missed>[\w.]+)\.)?"
    rf"(?: A tie at the threshold cuts (?P<extra>\d+) more than the budget of (?P<allowed>\d+) asks\.)?"
    rf"(?: (?P<back>.+?) got rank back\.)?{TOTAL}"
)
TELL = """async () => {
  const {Held, unpackFrame} = await import("/static/board-1/frames.js");
  const {whyWords} = await import("/static/board-1/why_words.js");
  const {beatWords} = await import("/static/board-1/slow_words.js");
  const held = new Held();
  held.apply(unpackFrame(await (await fetch("/frame/words")).arrayBuffer()));
  const tell = (run, event) => [whyWords(run, event), beatWords(run, event, 2), beatWords(run, event, 3)];
  return held.runs.flatMap((run) => run.events.map((event) => tell(run, event)));
}"""


def shown(text: str, value: float, digits: int = 3) -> bool:
    """Whether `text` is `value` to the digits shown: three, or two where there is an exponent."""
    near = 0.5 * 10.0 ** (1 - (2 if "e" in text else digits))
    return abs(float(text.replace("−", "-")) - value) <= near * abs(value) * (1 + 1e-6)


class Truth:
    """One event and its run, and names for its matrices."""

    def __init__(self, rows: list[Stamped], event: RankEvent) -> None:
        self.event = event
        started = rows[0].event
        assert isinstance(started, Started)
        self.started = started
        self.names = [f"L{matrix.layer}.{matrix.module}" for matrix in started.matrices]
        measured = [row.event for row in rows if isinstance(row.event, Geometry)]
        self.geometry = measured[-1] if measured else None
        self.gain = event.ranks.astype(int) - event.before.astype(int)

    def named(self, indices: Any, most: int) -> str:
        names = [self.names[i] for i in indices]
        if len(names) > most:
            return f"{', '.join(names[:most])} and {len(names) - most} more"
        return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))

    def margin(self, found: dict[str, str], scores: NDArray[Any], last: float, first: float) -> None:
        span = float(scores.max()) - float(scores.min())
        assert shown(found["gap"], last - first)
        share = 100 * (last - first) / span
        assert share < 0.01 if found["share"].startswith("below") else shown(found["share"], share)


def check_growth(truth: Truth, found: dict[str, str]) -> None:
    event, scores = truth.event, truth.event.scores.astype(np.float64)
    chosen = event.chosen
    assert int(found["total"]) == event.ranks.sum() and int(found["target"]) == truth.started.target_total_rank
    if found["allowed"] is None:
        assert event.allowed == 0 and not chosen
        return
    assert (int(found["allowed"]), int(found["n"])) == (event.allowed, len(scores))
    published = truth.started.config.get(truth.started.method, {}).get("behaviour") == "reference"
    limits = np.array([min(matrix.shape) for matrix in truth.started.matrices])
    compared = np.arange(len(scores)) if published else np.flatnonzero(event.before < limits)
    assert int(found["open"] or len(scores)) == len(compared)
    line = np.sort(scores[compared])[-event.allowed]
    assert np.float32(line) == np.float32(event.threshold)
    assert found["best"] or shown(found["threshold"], line)
    assert bool(found["best"]) == (event.allowed == len(chosen) == 1)
    assert (found["place"] or "") == (ORDINALS[event.allowed] if event.allowed < 11 else f"{event.allowed}th ")
    if not chosen:
        assert found["chosen"] is found["best"] is None
        return
    assert sorted(chosen) == np.flatnonzero(truth.gain > 0).tolist()
    named = found["chosen"] or found["best"]
    best = re.search(rf" \(({NUMBER})\)", named)
    assert best and shown(best[1], scores[chosen[0]]) and scores[chosen[0]] == scores[chosen].max()
    assert named.replace(best[0], "") == truth.named(chosen, 5)
    assert all(scores[chosen] >= line)
    left = [i for i in compared if i not in chosen]
    if not left:
        assert not any(found[key] for key in ("last", "too", "tied"))
        return
    first = max(scores[left])
    lowest = min(scores[chosen])
    assert bool(found["last"]) == (first < line)
    assert bool(found["too"]) == (first >= line and len(chosen) < event.allowed)
    assert bool(found["tied"]) == (first >= line and len(chosen) >= event.allowed)
    name = found["missed"] or found["too"] or found["tied"]
    assert scores[truth.names.index(name)] == first and truth.names.index(name) in left
    if found["last"]:
        assert scores[truth.names.index(found["last"])] == lowest
        truth.margin(found, scores[compared], lowest, first)
    if found["tied"]:
        assert scores[truth.names.index(found["with"])] == lowest == first and int(found["only"]) == len(chosen)
    assert bool(found["grew"]) == (len(chosen) > event.allowed)
    assert int(found["grew"] or len(chosen)) == len(chosen)


def check_pruning(truth: Truth, found: dict[str, str]) -> None:
    event, units = truth.event, truth.event.unit_scores.astype(np.float64)
    above, below = units[units > event.threshold], units[units <= event.threshold]
    kept = int(found["kept"])
    assert kept == event.ranks.sum() == int(found["total"]) == len(above) and int(found["units"]) == len(units)
    assert int(found["target"]) == truth.started.target_total_rank
    assert shown(found["threshold"], below.max()) and np.float32(below.max()) == np.float32(event.threshold)
    assert int(found["extra"] or 0) == event.allowed - kept
    assert int(found["allowed"] or event.allowed) == event.allowed
    lost, back = np.flatnonzero(truth.gain < 0), np.flatnonzero(truth.gain > 0)
    assert int(found["gone"] or 0) == -truth.gain[lost].sum()
    told = re.findall(r"([\w.]+) lost (\d+)", found["lost"] or "")
    assert all(-truth.gain[truth.names.index(name)] == int(count) for name, count in told)
    assert len(told) + int(found["more"] or 0) == len(lost)
    assert found["back"] == (truth.named([i for i in event.chosen if i in back], 3) or None)
    assert bool(found["last"]) == (kept > 0)
    if found["last"]:
        for key, score in (("last", above.min()), ("missed", below.max())):
            assert score in units[event.unit_matrix == truth.names.index(found[key])]
        truth.margin(found, units, above.min(), below.max())


def check_need(truth: Truth, text: str) -> None:
    """The last sentence: was it needed?"""
    prunes, event = truth.started.allocation == "prunes", truth.event
    changed = np.flatnonzero(truth.gain < 0 if prunes else truth.gain > 0)
    planted = np.array([matrix.planted_rank or 0 for matrix in truth.started.matrices])
    if not len(changed) or (prunes and not planted.any()):
        assert text == ""
    elif planted.any():
        needed = changed[planted[changed] > (event.ranks if prunes else event.before)[changed]]
        if len(changed) > 1:
            assert text == f" By what is planted, {len(needed) or 'none'} of these {len(changed)} needed it."
        elif not planted[changed[0]]:
            assert text == " Nothing is planted there: it was not needed."
        else:
            assert text.startswith(f" Rank {planted[changed[0]]} is planted there")
            assert text.endswith(": it was needed." if len(needed) else ": it was not needed.")
    elif truth.geometry is None or truth.geometry.step <= event.step + 1:
        assert text == " The change was not measured after it."
    else:
        check_use(truth, text, changed, truth.geometry)


def check_use(truth: Truth, text: str, changed: NDArray[Any], measured: Geometry) -> None:
    values = measured.singular.astype(np.float16).astype(np.float64)  # as they travel
    spectra = np.split(values**2, np.cumsum(measured.ranks)[:-1])
    beyond = {truth.names[i]: spectra[i][truth.event.before[i] :].sum() / spectra[i].sum() for i in changed}
    users = {name for name, share in beyond.items() if share > 0.01}
    assert text.startswith(f" After {measured.step} steps, ")
    if len(changed) == 1:
        share = re.search(rf"({NUMBER}) % of the energy of its change lies beyond its old rank (\d+)", text)
        assert share and shown(share[1], 100 * beyond[truth.names[changed[0]]], 2)
        assert int(share[2]) == truth.event.before[changed[0]]
        assert text.endswith("is used." if users else "is hardly used.")
        return
    told = re.findall(rf"([\w.]+) \(({NUMBER}) %(?: of its energy beyond it)?\)", text)
    assert len(told) == min(3, len(users))
    assert all(name in users and shown(share, 100 * beyond[name], 2) for name, share in told)
    count = re.match(rf" After \d+ steps, (\d+|none) of these {len(changed)} use", text)
    assert count and count[1] == str(len(users) or "none")


def check(truth: Truth, words: str, threshold_beat: str, change_beat: str) -> None:
    event, prunes = truth.event, truth.started.allocation == "prunes"
    head = f"Step {event.step}, {event.rule} rule: "
    assert words.startswith(head)
    match = (PRUNING if prunes else GROWTH).match(words, len(head))
    assert match, "it has a form of its own"
    found = match.groupdict()
    (check_pruning if prunes else check_growth)(truth, found)
    check_need(truth, words[match.end() :])
    if found["last"]:
        assert f"{found['gap']} ({found['share']} % of the range" in threshold_beat
    assert (f"otal rank {event.total_rank}" in change_beat) == bool(event.chosen)
    changes = re.findall(r"([\w.]+) (\d+) → (\d+)", change_beat)
    assert len(changes) == min(6, len(event.chosen))
    for name, before, after in changes:
        index = truth.names.index(name)
        assert (int(before), int(after)) == (event.before[index], event.ranks[index])


def test_what_is_said_of_200_random_events_agrees_with_what_was_stored(open_page: Any, server: Server) -> None:
    bundles = sorted(Path(triadapt.recorded.__file__).parent.glob("*.jsonl.gz"))
    recorded = [run.events() for path in bundles for run in read_bundle(path)]
    runs = [*recorded, *(made_up_decisions(seed) for seed in range(24))]
    status = {"state": "finished"}
    parts = [run_frame(str(i), rows, after=0, generation=0, status=status) for i, rows in enumerate(runs)]
    server.frames["words"] = board_frame("words", parts, full=True)
    events = [Truth(rows, row.event) for rows in runs for row in rows if isinstance(row.event, RankEvent)]
    told = open_page().evaluate(TELL)
    assert len(told) == len(events)
    first = sum(isinstance(row.event, RankEvent) for rows in recorded for row in rows)
    more = np.random.default_rng(0).permutation(np.arange(first, len(events)))[: EVENTS - first]
    for i in [*range(first), *more]:
        try:
            check(events[i], *told[i])
        except AssertionError as error:
            raise AssertionError(f"{told[i]}\n{events[i].event}") from error
