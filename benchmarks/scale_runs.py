"""Generated runs for the figures of scale: one large race, and a folder with many smaller ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.made_up_run import GATED, MODULES, made_up_run
from triadapt.config import RunConfig, parse_config
from triadapt.events import Stamped
from triadapt.methods.registry import AT_FIRST
from triadapt.runs.library import new_race
from triadapt.runs.store import RunStore

LAYERS = 32
LARGE = {
    "steps": 10_000, "warmup": 1000, "interval": 40, "reference_rank": 8, "growth": "fixed", "top_h": 8,
}  # fmt: skip
SMALL_MATRICES = 24
STEPS_A_SECOND = 40.0


def configs_of_methods(values: Mapping[str, object]) -> list[RunConfig]:
    """One configuration for each method of a race that names none."""
    return [parse_config({**values, "method": method}) for method in AT_FIRST]


def large_race() -> dict[str, list[Stamped]]:
    """Events of 10,000 steps on 32 layers of seven matrices, by method."""
    return {
        config.method: made_up_run(config, LAYERS * len(GATED), STEPS_A_SECOND, GATED)
        for config in configs_of_methods(LARGE)
    }


def store_race(folder: Path, values: Mapping[str, object], events: Sequence[list[Stamped]]) -> str:
    """Write a finished race of all methods, with those events, into a folder of runs; its id."""
    race = new_race(folder, configs_of_methods(values))
    for place, stored in zip(race.folders, events, strict=True):
        with RunStore.open(place) as store:
            store.copy_events(stored)
            store.set_state("finished")
    return race.id


def store_small_runs(folder: Path, count: int) -> None:
    """Write `count` finished runs of 600 steps, a race every four of them."""
    events = [made_up_run(config, SMALL_MATRICES, STEPS_A_SECOND, MODULES) for config in configs_of_methods({})]
    for _ in range(count // len(events)):
        store_race(folder, {}, events)
