"""What the play page shows: a race among the runs, or one of the recorded ones."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import streamlit as st

from triadapt.runs.bundle import BundleRun, Readable, read_bundle, recorded_races
from triadapt.runs.info import RunError, RunInfo
from triadapt.runs.library import find, list_runs
from triadapt.runs.lineage import parent_of
from triadapt.runs.shared_reader import SHARED
from triadapt.ui.classroom.desk import Desk
from triadapt.ui.classroom.room import student


@dataclass(frozen=True)
class Shown:
    """A race on view. `view` names it in the address; `recorded` when it plays from a file of the package. `beside`:
    what the board shows along with it, the parent of a branch."""

    view: str
    title: str
    description: str
    runs: list[tuple[RunInfo, Readable]]
    recorded: bool
    beside: list[tuple[RunInfo, Readable]] = field(default_factory=list)

    @property
    def live(self) -> bool:
        """Whether anything may still change by itself."""
        return any(info.live for info, _ in self.on_board)

    @property
    def on_board(self) -> list[tuple[RunInfo, Readable]]:
        """All runs that the board shows, those of the race first."""
        return self.runs + self.beside


@st.cache_data(show_spinner=False)
def recorded_titles() -> dict[str, tuple[str, str]]:
    """Title and description of the recorded races, by their names."""
    return {race.slug: (race.title, race.description) for race in recorded_races()}


@st.cache_resource(show_spinner=False)
def recorded_runs(slug: str) -> list[BundleRun]:
    """The runs of a recorded race."""
    return read_bundle(next(race.path for race in recorded_races() if race.slug == slug))


def first_view(manager: Desk) -> str:
    """What a visitor without a wish sees: in a class what the teacher chose; else the race that runs here, else one
    that another program trains, else the first recorded one, else nothing."""
    taken = student()
    if taken is not None and taken.run:
        return taken.run
    active = manager.active()
    if active:
        return active[0]
    elsewhere = [info for info in list_runs(manager.runs) if info.state in ("running", "paused") and not info.study]
    if elsewhere:
        return elsewhere[0].race or elsewhere[0].id
    return "healthy-race" if "healthy-race" in recorded_titles() else next(iter(recorded_titles()), "")


def shown(manager: Desk, view: str) -> Shown:
    """The race of that name. Raises RunError when there is none."""
    titles = recorded_titles()
    if view in titles:
        title, description = titles[view]
        runs: list[tuple[RunInfo, Readable]] = [(run.info(), run) for run in recorded_runs(view)]
        return Shown(view, title, description, runs, True)
    infos = find(manager.runs, view)
    if not infos:
        raise RunError(f"run = {view!r}: no such run")
    return Shown(
        view, infos[0].name or view, "", [(info, SHARED.reader(manager.runs / info.id)) for info in infos], False
    )


def beside_its_parent(manager: Desk, race: Shown) -> Shown:
    """The same with the run it was branched from, if it is one branch and that run can be read."""
    info = race.runs[0][0]
    parent = parent_of(manager.runs, info) if len(race.runs) == 1 and not race.recorded else None
    if parent is None or parent.state == "damaged" or parent.id == info.id:
        return race
    return replace(race, beside=[(parent, SHARED.reader(manager.runs / parent.id))])


def race_id(race: Shown) -> str:
    """The id of the race on view, also where a single run of it is shown."""
    return race.runs[0][0].race or race.view
