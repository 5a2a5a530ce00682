"""The run of a trial: made, and read while it is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from triadapt.events import Evaluation, RankEvent, Started
from triadapt.runs.info import RunInfo
from triadapt.runs.library import make_runs, new_id, tidy_name
from triadapt.runs.liveness import this_process
from triadapt.runs.reader import RunReader
from triadapt.runs.store import RunStore
from triadapt.sweeps.config import SweepConfig
from triadapt.sweeps.record import TrialRecord
from triadapt.sweeps.space import run_config, told


def new_run_id(runs: Path, config: SweepConfig, trial: TrialRecord) -> str:
    """An id for the run of a trial, to be written down before the run is made: so no run is ever made twice."""
    method = run_config(config, trial.point, trial.seed).method
    while (runs / (run := f"{new_id()}-{method}")).exists():
        pass
    return run


def make_run(runs: Path, study: str, config: SweepConfig, trial: TrialRecord) -> Path:
    """Make the folder of the run that a trial names, in state queued. Raises RunError, ConfigError, OSError."""
    settings = run_config(config, trial.point, trial.seed)
    title = tidy_name(f"{config.name or study}: {told(trial.point)}, seed {trial.seed}")

    def make(place: Path, run_id: str, race: str, position: int) -> None:
        lineage = {"study": study, "trial": trial.number}
        RunStore.create(place, settings, run_id=run_id, race=race, name=title, lineage=lineage).close()

    (folder,) = make_runs(runs, [settings.method], make, trial.run.removesuffix(f"-{settings.method}")).folders
    return folder


def runs_elsewhere(folder: Path) -> bool:
    """Whether a process that is not this one trains the run in `folder`. That can only be a worker whose coordinator
    was killed: it is about to stop, and the run can be taken up once it has."""
    reader = RunReader(folder)
    return reader.info().state in ("running", "paused") and reader.owner() != this_process()


@dataclass
class RunWatch:
    """Reads evaluations of a run as they come."""

    folder: Path
    metric: str
    higher_is_better: bool
    _seen: int = 0
    _generation: int = 0
    _metric_checked: bool = False

    def info(self) -> RunInfo:
        """The run at a glance."""
        return RunReader(self.folder).info()

    def news(self) -> list[tuple[int, float]]:
        """(steps done, metric) of each evaluation since the last call. Raises DamagedRunError, and ValueError when the
        run is judged by another metric than the study."""
        reader = RunReader(self.folder)
        info = reader.info()
        if info.generation != self._generation:
            self._seen, self._generation = 0, info.generation
        if info.last_seq <= self._seen:
            return []
        found: list[tuple[int, float]] = []
        for stamped in reader.events_of(Started.kind, Evaluation.kind, after=self._seen):
            self._seen = stamped.seq
            match stamped.event:
                case Started() as event:
                    self._check(event)
                case Evaluation() as event if self.metric in event.metrics:
                    found.append((event.step, float(event.metrics[self.metric])))
                case _:
                    pass
        return found

    def parameters(self) -> int | None:
        """Trainable parameters at the end, or so far."""
        found = None
        for stamped in RunReader(self.folder).events_of(Started.kind, RankEvent.kind):
            if isinstance(stamped.event, Started | RankEvent):
                found = stamped.event.trainable_parameters
        return found

    def _check(self, started: Started) -> None:
        if (started.metric, started.higher_is_better) != (self.metric, self.higher_is_better):
            better = "higher" if started.higher_is_better else "lower"
            raise ValueError(f"the run is judged by {started.metric} ({better} is better), the study by {self.metric}")


def is_number(value: float | None) -> bool:
    """Whether a trial with this value came to something."""
    return value is not None and math.isfinite(value)
