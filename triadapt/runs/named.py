"""Runs by any name a person may know them by: an id of a run or a race, a recorded race, a run of a recorded race."""

from __future__ import annotations

from pathlib import Path

from triadapt.runs.bundle import Readable, read_bundle, recorded_races
from triadapt.runs.info import RunError
from triadapt.runs.library import find, is_race_id, is_run_id
from triadapt.runs.reader import RunReader

HEALTHY = "healthy-race"  # the recorded race that stands for all is well


def named_runs(folder: Path, name: str) -> list[Readable]:
    """The stored or recorded runs of that name, in order; `SLUG.METHOD` is one run of the recorded race `SLUG`.

    Raises RunError with one line that lists the names there are.
    """
    recorded = {race.slug: race.path for race in recorded_races()}
    slug, _, method = name.partition(".")
    if slug in recorded:
        runs = read_bundle(recorded[slug])
        chosen = [run for run in runs if not method or run.info().method == method]
        if not chosen:
            methods = ", ".join(f"{slug}.{run.info().method}" for run in runs)
            raise RunError(f"there is no run {name[:80]!r} in the recorded race {slug!r}; it has {methods}")
        return list(chosen)
    names = f"recorded races are {', '.join(recorded)}"
    if not (is_run_id(name) or is_race_id(name)):
        raise RunError(f"{name[:80]!r} is not a run or race: `triadapt runs` lists those stored, {names}")
    try:
        return [RunReader(folder / info.id) for info in find(folder, name)]
    except RunError as error:
        raise RunError(f"{error}, {names}") from None
