"""Everything a run recorded as tidy tables: a row for each number that was measured, none thinned and none rounded."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from triadapt.events import Baseline, Evaluation, Event, Geometry, Matrix, RankEvent, Scores, Stamped, Started, Step
from triadapt.runs.info import RunInfo

Runs = Sequence[tuple[RunInfo, Sequence[Stamped]]]
E_ = TypeVar("E_", bound=Event)


def tables(runs: Runs) -> dict[str, pd.DataFrame]:
    """The tables by name; the first column of each, `run`, holds the id of the run a row belongs to.

    steps: loss before each step, learning rate, seconds of running time. ranks: a row for each rank event and matrix.
    scores: importance between rank events. units: importance of parts of matrices (AdaLoRA's triplets) at rank events.
    evaluations and baselines: values of the metrics. spectrum: singular values of dW, largest first, `index` from 0.
    core: what stands between A and B, by `row` and `column`. matrices: what is adapted. Numbers that were stored as
    float32 are float32 here; one that is missing is NaN.
    """
    found: dict[str, list[pd.DataFrame]] = {name: [] for name in _TABLES}
    for info, rows in runs:
        started = next((row.event for row in rows if isinstance(row.event, Started)), None)
        matrices = _matrices(started.matrices if started else [])
        kind = started.core_kind if started else "none"
        for name, make in _TABLES.items():
            table = make(rows, matrices, kind)
            table.insert(0, "run", info.id)
            found[name].append(table)
    return {name: _joined(parts) for name, parts in found.items()}


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """One below the other; a run without such events must not turn the types of the others into objects."""
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else parts[0]


def csv_bytes(table: pd.DataFrame) -> bytes:
    """As CSV, every number as the shortest text that reads back to the same number."""
    return table.to_csv(index=False, lineterminator="\n").encode()


def parquet_bytes(table: pd.DataFrame) -> bytes:
    """As Parquet, types kept."""
    memory = io.BytesIO()
    table.to_parquet(memory, engine="pyarrow", index=False)
    return memory.getvalue()


def _of(kind: type[E_], rows: Sequence[Stamped]) -> list[tuple[float, E_]]:
    return [(row.time, row.event) for row in rows if isinstance(row.event, kind)]


def _f4(values: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
    return np.concatenate(values).astype(np.float32) if values else np.zeros(0, np.float32)


def _int(values: Sequence[NDArray[Any]]) -> NDArray[np.int64]:
    return np.concatenate(values).astype(np.int64) if values else np.zeros(0, np.int64)


def _matrices(matrices: Sequence[Matrix]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "matrix": pd.Series([matrix.name for matrix in matrices], dtype="str"),
            "layer": np.array([matrix.layer for matrix in matrices], np.int64),
            "module": pd.Series([matrix.module for matrix in matrices], dtype="str"),
            "rows": np.array([matrix.shape[0] for matrix in matrices], np.int64),
            "columns": np.array([matrix.shape[1] for matrix in matrices], np.int64),
            "planted": pd.array([matrix.planted_rank for matrix in matrices], dtype="Int64"),
        }
    )


def _at(steps: Sequence[int], counts: Sequence[int], where: NDArray[np.int64], matrices: pd.DataFrame) -> pd.DataFrame:
    """The columns every table about matrices begins with. counts: rows of each step; where: the matrix of each row."""
    place = matrices.loc[where, ["matrix", "layer", "module"]].reset_index(drop=True)
    place.insert(0, "step", np.repeat(np.array(steps, np.int64), np.array(counts, np.int64)))
    return place


def _steps(rows: Sequence[Stamped], _matrices: pd.DataFrame, _kind: str) -> pd.DataFrame:
    found = _of(Step, rows)
    return pd.DataFrame(
        {
            "step": np.array([event.step for _, event in found], np.int64),
            "time": np.array([time for time, _ in found], np.float64),
            "loss": np.array([event.loss for _, event in found], np.float64),
            "learning_rate": np.array([event.learning_rate for _, event in found], np.float64),
        }
    )


def _ranks(rows: Sequence[Stamped], matrices: pd.DataFrame, _kind: str) -> pd.DataFrame:
    events = [event for _, event in _of(RankEvent, rows)]
    n = len(matrices)
    table = _at([e.step for e in events], [n] * len(events), np.tile(np.arange(n), len(events)), matrices)
    chosen = np.zeros((len(events), n), np.bool_)
    for at, event in enumerate(events):
        chosen[at, event.chosen] = True
    missing = np.full(n, np.nan, np.float32)
    columns = {
        "before": _int([e.before for e in events]),
        "after": _int([e.ranks for e in events]),
        "score": _f4([e.scores if len(e.scores) == n else missing for e in events]),
        "chosen": chosen.ravel(),
        "planted": matrices["planted"].iloc[np.tile(np.arange(n), len(events))].array,
        "rule": pd.Series(np.repeat(np.array([e.rule for e in events], object), n), dtype="str"),
    }
    for name in ("threshold", "allowed", "total_rank", "trainable_parameters", "optimizer_bytes"):
        kind = np.float64 if name == "threshold" else np.int64
        columns[name] = np.repeat(np.array([getattr(e, name) for e in events], kind), n)
    return table.assign(**columns)


def _scores(rows: Sequence[Stamped], matrices: pd.DataFrame, _kind: str) -> pd.DataFrame:
    events = [event for _, event in _of(Scores, rows)]
    counts = [len(event.scores) for event in events]
    where = _int([np.arange(count) for count in counts])
    table = _at([event.step for event in events], counts, where, matrices)
    return table.assign(score=_f4([event.scores for event in events]))


def _units(rows: Sequence[Stamped], matrices: pd.DataFrame, _kind: str) -> pd.DataFrame:
    events = [event for _, event in _of(RankEvent, rows)]
    counts = [len(event.unit_scores) for event in events]
    table = _at([event.step for event in events], counts, _int([event.unit_matrix for event in events]), matrices)
    table.insert(1, "unit", _int([np.arange(count) for count in counts]))
    return table.assign(score=_f4([event.unit_scores for event in events]))


def _evaluations(rows: Sequence[Stamped], _matrices: pd.DataFrame, _kind: str) -> pd.DataFrame:
    found = [(event.step, *pair) for _, event in _of(Evaluation, rows) for pair in event.metrics.items()]
    return _values(found, "metric")


def _baselines(rows: Sequence[Stamped], _matrices: pd.DataFrame, _kind: str) -> pd.DataFrame:
    return _values([(event.step, event.name, event.value) for _, event in _of(Baseline, rows)], "baseline")


def _values(found: Sequence[tuple[int, str, float]], name: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "step": np.array([step for step, _, _ in found], np.int64),
            name: pd.Series([text for _, text, _ in found], dtype="str"),
            "value": np.array([value for _, _, value in found], np.float64),
        }
    )


def _inside(ranks: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For `ranks[i]` values of each matrix one after another: the matrix of each, and its number inside it."""
    counts = ranks.astype(np.int64)
    where = np.repeat(np.arange(len(counts)), counts)
    return where, np.arange(len(where)) - np.repeat(np.cumsum(counts) - counts, counts)


def _spectrum(rows: Sequence[Stamped], matrices: pd.DataFrame, _kind: str) -> pd.DataFrame:
    found = [event for _, event in _of(Geometry, rows)]
    events = [event for event in found if len(event.singular) == int(event.ranks.sum())]
    parts = [_inside(event.ranks) for event in events]
    counts = [len(event.singular) for event in events]
    table = _at([event.step for event in events], counts, _int([where for where, _ in parts]), matrices)
    return table.assign(
        index=_int([index for _, index in parts]), singular_value=_f4([event.singular for event in events])
    )


def _core(rows: Sequence[Stamped], matrices: pd.DataFrame, kind: str) -> pd.DataFrame:
    square = kind == "triangular"
    sizes = [(event, event.ranks.astype(np.int64) ** (2 if square else 1)) for _, event in _of(Geometry, rows)]
    events = [event for event, size in sizes if len(event.core) == int(size.sum())]
    parts = [_inside(size) for event, size in sizes if len(event.core) == int(size.sum())]
    counts = [len(event.core) for event in events]
    table = _at([event.step for event in events], counts, _int([where for where, _ in parts]), matrices)
    width = _int([event.ranks.astype(np.int64)[where] for event, (where, _) in zip(events, parts, strict=True)])
    index = _int([inside for _, inside in parts])
    row, column = (index // width, index % width) if square else (index, index)
    return table.assign(row=row, column=column, value=_f4([event.core for event in events]))


def _what(_rows: Sequence[Stamped], matrices: pd.DataFrame, _kind: str) -> pd.DataFrame:
    return matrices.copy()


_TABLES: dict[str, Callable[[Sequence[Stamped], pd.DataFrame, str], pd.DataFrame]] = {
    "steps": _steps, "ranks": _ranks, "scores": _scores, "units": _units, "evaluations": _evaluations,
    "baselines": _baselines, "spectrum": _spectrum, "core": _core, "matrices": _what,
}  # fmt: skip
