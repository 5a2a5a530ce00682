"""How often a replay agrees with the real run: recorded runs, each trained again under changed schedules.

A line of the results file is a recorded run with all its pairs; what is there is not done again, so the benchmark can
be stopped at any time. Once all are done, the figures that the app shows are written to `triadapt/views/what_if`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.evidence import put
from benchmarks.evidence_runs import load
from benchmarks.tables import Table, add_options, document_part, show
from benchmarks.what_if_plan import Recorded, recorded_runs
from benchmarks.what_if_runs import Trained
from benchmarks.what_if_tables import shipped, tables
from triadapt.views.what_if.agreement import agreement, per_event, placed
from triadapt.views.what_if.measured import FILE
from triadapt.views.what_if.recording import Ranks, Recording
from triadapt.views.what_if.replay import replay

RESULTS = Path(__file__).with_name("results") / "what_if.jsonl"
DRAWS = 200


def key(item: Recorded) -> str:
    """Name of a recorded run in the results."""
    return f"{item.config.method}-{item.config.seed}"


def one(item: Recorded, trained: Trained) -> dict[str, Any]:
    """Train what is needed of a recorded run and hold its replays against it."""
    recording = trained.recording(item.config)
    itself = replay(recording, item.config)
    start, final = recording.start, recording.final
    return {
        "key": key(item),
        "method": item.config.method,
        "exact": [event.chosen for event in itself] == [event.chosen for event in recording.events]
        and np.array_equal([event.ranks for event in itself], [event.ranks for event in recording.events]),
        "again": round(placed(start, final, trained.recording(item.again).final), 4),
        "elsewhere": round(placed(start, final, trained.recording(item.elsewhere).final), 4),
        "pairs": [_pair(recording, item, kind, trained) for kind in item.changes],
    }


def _pair(recording: Recording, item: Recorded, kind: str, trained: Trained) -> dict[str, Any]:
    config, start = item.config_with(kind), recording.start
    truth = trained.recording(config)
    guess, plain = (replay(recording, config, corrected=corrected) for corrected in (True, False))
    ends = {
        "replayed": guess[-1].ranks if guess else start,
        "uncorrected": plain[-1].ranks if plain else start,
        "unchanged": recording.final,
        "stretched": stretched(start, recording.final, int(truth.final.sum())),
    }
    found = agreement(start, ends["replayed"], truth.final, per_event(guess, truth.events))
    values: dict[str, Any] = {name: placed(start, ranks, truth.final) for name, ranks in ends.items()}
    values |= {
        "chance": chance(start, truth.final, item.config.seed),
        "matrices": found.matrices,
        "correlation": found.correlation,
        "events": found.events,
        "unchanged_events": per_event(recording.events, truth.events),
    }
    return {"kind": kind} | {name: None if value is None else round(value, 4) for name, value in values.items()}


def stretched(start: Ranks, final: Ranks, total: int) -> Ranks:
    """The ranks moved from `start` to `final`, more or fewer of them in the same shares, so that they sum to `total`:
    the best guess without a look at the scores."""
    moved = (final - start).astype(np.float64)
    if not moved.any():
        return final
    wanted = moved * (total - start.sum()) / moved.sum()
    whole = np.trunc(wanted).astype(np.int64)
    left = int(total - start.sum() - whole.sum())
    whole[np.argsort(-np.abs(wanted - whole), kind="stable")[: abs(left)]] += np.sign(left)
    return np.asarray(start + whole, np.int64)


def chance(start: Ranks, truth: Ranks, seed: int) -> float:
    """Share placed alike when as many ranks are given to matrices, or taken from them, at random."""
    random, moved, n = np.random.default_rng(seed), int((truth - start).sum()), len(start)
    if moved >= 0:
        draws = start + random.multinomial(moved, np.full(n, 1 / n), DRAWS)
    else:
        draws = start - random.multivariate_hypergeometric(start, -moved, DRAWS)
    return float(np.mean([placed(start, draw, truth) for draw in draws]))


def measure(quick: bool, folder: Path | None = None, minutes: float = float("inf"), say: bool = True) -> list[Table]:
    """Do what is missing, for `minutes` at most, and make the tables of what is there."""
    path = RESULTS.with_name("what_if-quick.jsonl") if quick else RESULTS
    planned, done = recorded_runs(quick), load(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * minutes
    with _runs(folder) as place, path.open("a", encoding="utf-8") as file:
        trained = Trained(place)
        for item in planned:
            if key(item) in done or time.monotonic() > end:
                continue
            done[key(item)] = one(item, trained)
            file.write(json.dumps(done[key(item)]) + "\n")
            file.flush()
            if say:
                print(f"{len(done)} of {len(planned)} recorded runs", file=sys.stderr, flush=True)
    lines = [done[key(item)] for item in planned if key(item) in done]
    if not quick and len(lines) == len(planned):
        FILE.write_text(json.dumps(shipped(lines), indent=1) + "\n", encoding="utf-8")
    return tables(lines)


@contextmanager
def _runs(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        yield folder
        return
    with tempfile.TemporaryDirectory() as scratch:
        yield Path(scratch)


def main() -> int:
    """Measure, then print the tables or put them into a document."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.what_if", description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, metavar="DIR", help="keep the trained runs in this folder of runs")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so long, to go on later")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the tables into this document")
    add_options(parser)
    options = parser.parse_args()
    found = measure(options.quick, options.runs, options.minutes)
    if options.write is None:
        show("what_if", found, options)
    else:
        put(options.write, "what_if", document_part(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
