"""`triadapt whatif`."""

from __future__ import annotations

import json
from argparse import Namespace

from rich.table import Table

from triadapt.cli_branch import values_of
from triadapt.cli_train import print_table
from triadapt.events import Stamped
from triadapt.runs.bundle import read_bundle, recorded_races
from triadapt.runs.export import plain
from triadapt.runs.info import DamagedRunError, RunError, told_changes
from triadapt.runs.library import find, runs_folder
from triadapt.runs.reader import RunReader
from triadapt.views.what_if.comparison import WhatIf, cautions, differing_events, named, summary, told, what_if
from triadapt.views.what_if.measured import measured
from triadapt.views.what_if.recording import KINDS, Recording, recording_of


def whatif(options: Namespace) -> int:
    """Replay a run under the fields of `--set`, and print the events that differ."""
    recording = _recording(options)
    try:
        found = what_if(recording, values_of(options.set))
    except RunError as error:
        raise RunError(f"{options.run}: {error}") from None
    if options.json:
        values = {
            "run": options.run,
            "changes": {name: list(pair) for name, pair in found.changes.items()},
            "config": found.config.as_dict(),
            "summary": summary(found),
            "events": differing_events(found),
            "ranks": {"recorded": recording.final, "replayed": found.final},
        }
        print(json.dumps(plain(values), allow_nan=False))
        return 0
    _print(options.run, found)
    return 0


def _recording(options: Namespace) -> Recording:
    """Of a run in the folder, or of a race that is shipped, as `RACE.METHOD`."""
    slug, _, method = options.run.partition(".")
    for race in recorded_races():
        if race.slug == slug:
            runs = {run.info().method: run for run in read_bundle(race.path)}
            if method not in runs:
                raise RunError(f"{options.run!r}: name one run of this race: {', '.join(f'{slug}.{m}' for m in runs)}")
            return _read(options.run, runs[method].events())
    folder = runs_folder(options.runs)
    infos = find(folder, options.run)
    if len(infos) > 1:
        raise RunError(f"{options.run} is a race; name one of its runs: {', '.join(info.id for info in infos)}")
    info = infos[0]
    if info.state == "damaged":
        raise DamagedRunError(f"{info.id} is damaged: {info.error}")
    given_until = info.branched_from.step if info.branched_from else -1
    return _read(info.id, RunReader(folder / info.id).events_of(*KINDS), given_until)


def _read(name: str, events: list[Stamped], given_until: int = -1) -> Recording:
    try:
        return recording_of(events, given_until)
    except RunError as error:
        raise RunError(f"{name}: {error}") from None


def _print(name: str, found: WhatIf) -> None:
    print(f"{name}: {told_changes(found.changes) or 'nothing changed'}")
    rows = differing_events(found)
    columns = ("step", "total rank", "replayed", "allowed", "replayed", "chosen", "replayed", "scores from")
    table = Table(*columns, box=None, header_style="bold")
    for row in rows:
        cells = [str(row["step"])]
        for field in ("total", "allowed"):
            cells += [_said(row[f"{kind}_{field}"]) for kind in ("recorded", "replayed")]
        cells += [named(found.recording.matrices, row[f"{kind}_chosen"]) for kind in ("recorded", "replayed")]
        table.add_row(*cells, "–" if row["age"] is None else str(row["step"] - row["age"]))
    print_table(table, "rank events that differ" if rows else "no rank event differs")
    result = summary(found)
    print(told(result))
    for kind, shares in (result["recovery"] or {}).items():
        print(f"{kind}: {_percent(shares['coverage'])} of the planted rank covered")
    for line in cautions(found):
        print(f"note: {line}")
    known = measured(found.config.method)
    print(
        "First-order: scores are taken as they were recorded."
        + (f" {known.line(found.config.method)}" if known else "")
    )


def _said(value: int | None) -> str:
    return "–" if value is None else str(value)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"
