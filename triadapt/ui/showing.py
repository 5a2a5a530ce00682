"""What the play page shows: a race among the runs, or one of the recorded ones."""

from __future__ import annotations

import time
from dataclasses import dataclass

import streamlit as st

from triadapt.runs.bundle import BundleRun, Readable, read_bundle, recorded_races
from triadapt.runs.info import RunError, RunInfo
from triadapt.runs.library import find, list_runs
from triadapt.runs.reader import RunReader
from triadapt.workers.manager import RunManager


@dataclass(frozen=True)
class Shown:
    """A race on view. `view` names it in the address; `recorded` when it plays from a file of the package."""

    view: str
    title: str
    description: str
    runs: list[tuple[RunInfo, Readable]]
    recorded: bool

    @property
    def live(self) -> bool:
        """Whether anything may still change by itself."""
        return any(info.live for info, _ in self.runs)


@st.cache_data(show_spinner=False)
def recorded_titles() -> dict[str, tuple[str, str]]:
    """Title and description of the recorded races, by their names."""
    return {race.slug: (race.title, race.description) for race in recorded_races()}


@st.cache_resource(show_spinner=False)
def recorded_runs(slug: str) -> list[BundleRun]:
    """The runs of a recorded race."""
    return read_bundle(next(race.path for race in recorded_races() if race.slug == slug))


def choices(manager: RunManager, most: int = 30) -> dict[str, str]:
    """What can be shown, by its name in the address: the newest races first, then the recorded ones. No two are called
    the same, for the browser tells Streamlit the name that was chosen."""
    found: dict[str, str] = {}
    for info in list_runs(manager.runs):
        view = info.race or info.id
        if view not in found and len(found) < most:
            made = time.strftime("%d %b %H:%M:%S", time.localtime(info.created)) if info.created else view[:15]
            title = f"{made} · {info.name or view}"
            found[view] = f"{title} · {view}" if title in found.values() else title
    return found | {slug: f"Recorded: {title}" for slug, (title, _) in recorded_titles().items()}


def first_view(manager: RunManager) -> str:
    """What a visitor without a wish sees: the race that runs, else the first recorded one, else nothing."""
    active = manager.active()
    if active:
        return active[0]
    return "healthy-race" if "healthy-race" in recorded_titles() else next(iter(recorded_titles()), "")


def shown(manager: RunManager, view: str) -> Shown:
    """The race of that name. Raises RunError when there is none."""
    titles = recorded_titles()
    if view in titles:
        title, description = titles[view]
        runs: list[tuple[RunInfo, Readable]] = [(run.info(), run) for run in recorded_runs(view)]
        return Shown(view, title, description, runs, True)
    infos = find(manager.runs, view)
    if not infos:
        raise RunError(f"run = {view!r}: no such run")
    return Shown(view, infos[0].name or view, "", [(info, RunReader(manager.runs / info.id)) for info in infos], False)
