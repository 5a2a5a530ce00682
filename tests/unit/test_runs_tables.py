"""Tables hold what was recorded, number by number, and read back to the same."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from triadapt.events import Baseline, Evaluation, Geometry, RankEvent, Scores, Stamped, Started, Step
from triadapt.runs.bundle import read_bundle, recorded_races
from triadapt.runs.export import export
from triadapt.runs.info import RunInfo
from triadapt.runs.tables import csv_bytes, parquet_bytes, tables

Runs = list[tuple[RunInfo, list[Stamped]]]


@pytest.fixture(scope="module")
def runs() -> Runs:
    """The recorded race of four methods, a float32 that is hard to write among its scores."""
    (path,) = [race.path for race in recorded_races() if race.slug == "healthy-race"]
    found = [(run.info(), run.events()) for run in read_bundle(path)]
    at, row = next((at, row) for at, row in enumerate(found[0][1]) if isinstance(row.event, RankEvent))
    scores = row.event.scores.copy()
    scores[:4] = [np.float32(0.1), np.float32(1e-45), np.nextafter(np.float32(1), np.float32(2)), np.nan]
    found[0][1][at] = replace(row, event=replace(row.event, scores=scores))
    step = next(at for at, row in enumerate(found[0][1]) if isinstance(row.event, Step))
    found[0][1][step] = replace(found[0][1][step], event=Step(0, float("inf"), 0.1 + 0.2))
    return found


def events(runs: Runs, kind: type) -> list[tuple[str, Any]]:
    return [(info.id, row.event) for info, rows in runs for row in rows if isinstance(row.event, kind)]


def joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts)


def test_every_number_of_the_events_is_in_a_table(runs: Runs) -> None:
    made = tables(runs)
    steps = events(runs, Step)
    assert list(zip(made["steps"]["run"], made["steps"]["step"], made["steps"]["loss"], strict=True)) == [
        (run, event.step, event.loss) for run, event in steps
    ]
    times = [row.time for _, rows in runs for row in rows if isinstance(row.event, Step)]
    assert made["steps"]["time"].tolist() == times
    decisions = [event for _, event in events(runs, RankEvent)]
    ranks = made["ranks"]
    for column, name in {"before": "before", "after": "ranks", "score": "scores"}.items():
        np.testing.assert_array_equal(ranks[column], joined([getattr(event, name) for event in decisions]))
    assert ranks["chosen"].sum() == sum(len(event.chosen) for event in decisions)
    first = ranks[(ranks["step"] == decisions[0].step) & (ranks["run"] == runs[0][0].id)]
    assert set(first[first["chosen"]]["matrix"]) == {
        runs[0][1][0].event.matrices[i].name for i in decisions[0].chosen  # type: ignore[attr-defined]
    }  # fmt: skip
    np.testing.assert_array_equal(made["scores"]["score"], joined([event.scores for _, event in events(runs, Scores)]))
    np.testing.assert_array_equal(made["units"]["score"], joined([event.unit_scores for event in decisions]))
    shapes = [event for _, event in events(runs, Geometry)]
    np.testing.assert_array_equal(made["spectrum"]["singular_value"], joined([event.singular for event in shapes]))
    np.testing.assert_array_equal(made["core"]["value"], joined([event.core for event in shapes]))
    assert len(made["evaluations"]) == sum(len(event.metrics) for _, event in events(runs, Evaluation))
    assert made["baselines"]["value"].tolist() == [event.value for _, event in events(runs, Baseline)]
    matrices = [matrix for _, event in events(runs, Started) for matrix in event.matrices]
    assert made["matrices"]["planted"].tolist() == [matrix.planted_rank for matrix in matrices]


def test_the_inside_of_a_matrix_is_numbered_from_its_own_corner(runs: Runs) -> None:
    info, rows = runs[0]
    event = [row.event for row in rows if isinstance(row.event, Geometry)][-1]
    started = rows[0].event
    assert isinstance(started, Started) and started.core_kind == "triangular"
    at = int(np.argmax(event.ranks))
    rank, first = int(event.ranks[at]), int((event.ranks[:at].astype(int) ** 2).sum())
    made = tables([(info, rows)])
    of = {name: table[(table["step"] == event.step) & (table["matrix"] == started.matrices[at].name)]
          for name, table in made.items() if name in ("core", "spectrum")}  # fmt: skip
    square = of["core"].pivot(index="row", columns="column", values="value").to_numpy()
    np.testing.assert_array_equal(square, event.core[first : first + rank**2].reshape(rank, rank))
    assert of["spectrum"]["index"].tolist() == list(range(rank))


def test_csv_and_parquet_read_back_to_the_same_numbers(tmp_path: Path, runs: Runs) -> None:
    for name, table in tables(runs).items():
        read = pd.read_csv(io.BytesIO(csv_bytes(table)), dtype=dict(table.dtypes))
        pd.testing.assert_frame_equal(read, table, check_exact=True, obj=name)
        pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(parquet_bytes(table))), table, obj=name)


class Reader:
    def __init__(self, info: RunInfo, rows: list[Stamped]) -> None:
        self.rows = rows
        self._info = info

    def info(self) -> RunInfo:
        return self._info

    def events(self, after: int = 0, limit: int | None = None) -> list[Stamped]:
        return self.rows

    def snapshot(self, after: int = 0) -> tuple[RunInfo, list[Stamped]]:
        return self._info, self.rows


def test_a_run_that_never_started_gives_tables_without_rows(tmp_path: Path, runs: Runs) -> None:
    files = export([Reader(runs[0][0], [])], tmp_path, ["csv", "parquet"])
    assert len(files) == 18
    assert (tmp_path / "ranks.csv").read_text().startswith("run,step,matrix,layer,module,before,after,score")
    assert len(pd.read_parquet(tmp_path / "units.parquet")) == 0
    both = tables([(runs[0][0], []), runs[1]])
    assert both["ranks"].dtypes.equals(tables([runs[1]])["ranks"].dtypes)
