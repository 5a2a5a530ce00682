"""Where runs come from: parents of branches and branches of parents, as far as they are in the folder of runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from triadapt.runs.info import RunInfo
from triadapt.runs.library import is_run_id
from triadapt.runs.reader import RunReader
from triadapt.runs.schema import FILE

MOST_GENERATIONS = 8


def parent_of(folder: Path, info: RunInfo) -> RunInfo | None:
    """The run in `folder` that `info` was branched from; None where it was not, or where that run is gone."""
    origin = info.branched_from
    if origin is None or not is_run_id(origin.run) or not (folder / origin.run / FILE).is_file():
        return None
    return RunReader(folder / origin.run).info()


def ancestors(folder: Path, info: RunInfo, most: int = MOST_GENERATIONS) -> list[RunInfo]:
    """Parent, its parent and so on, at most `most`. A file may say anything of its origin: no run comes twice."""
    found: list[RunInfo] = []
    seen = {info.id}
    at: RunInfo | None = info
    while at is not None and len(found) < most:
        at = parent_of(folder, at)
        if at is None or at.id in seen:
            break
        seen.add(at.id)
        found.append(at)
    return found


def branches_of(infos: Iterable[RunInfo], run_ids: Collection[str]) -> list[RunInfo]:
    """Those of `infos` that were branched from one of the runs `run_ids`."""
    return [info for info in infos if info.branched_from is not None and info.branched_from.run in run_ids]
