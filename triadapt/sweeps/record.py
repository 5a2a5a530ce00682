"""A study as it stands: what views, pages and the command line read. No Optuna objects, no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, cast

from triadapt.runs.info import RunError, Scalar
from triadapt.sweeps.config import SweepConfig

# States as readers see them. `interrupted` and `damaged` are never written: they are found out.
STUDY_STATES = ("queued", "running", "paused", "finished", "stopped", "failed", "interrupted", "damaged")
# waiting: not begun. interrupted: begun, and goes on when the study does. The last three are ends.
TRIAL_STATES = ("waiting", "running", "interrupted", "complete", "pruned", "failed")
ENDS = ("complete", "pruned", "failed")

Point = dict[str, Scalar]


class StudyError(RunError):
    """A study cannot be found, read or changed. The message is one line that says why and what to do."""


@dataclass(frozen=True)
class TrialRecord:
    """One point with one seed.

    point: the swept fields, without those that its method does not use (a point of plain LoRA has no warm-up). value:
    the metric at the end; of a pruned trial the newest, of others None. run: id of its run, empty before it is made.
    steps: optimizer steps done. intermediate: (steps done, metric) of each evaluation. error: one line. parameters:
    trainable ones at the end, or so far. seconds: of training. attempts: how often it was begun because a worker was
    lost, 1 for the most.
    """

    number: int
    point: Point
    seed: int
    state: str
    value: float | None = None
    run: str = ""
    steps: int = 0
    total_steps: int = 0
    intermediate: tuple[tuple[int, float], ...] = ()
    error: str = ""
    parameters: int | None = None
    seconds: float = 0.0
    attempts: int = 0

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in ENDS


@dataclass(frozen=True)
class StudyInfo:
    """A study at a glance, as cheap to read as a small file.

    created: seconds since 1970. message: why it ended early or cannot go on. metric: name of what trials are judged
    by, as the task has it. points, trials: how many are planned. counts: trials by state, of those that are known.
    seconds: how long its coordinators ran.
    """

    id: str
    name: str = ""
    state: str = "damaged"
    message: str = ""
    created: float = 0.0
    metric: str = ""
    higher_is_better: bool = False
    points: int = 0
    trials: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    folder: Path | None = None

    @property
    def live(self) -> bool:
        """Whether a coordinator runs it."""
        return self.state in ("running", "paused")

    @property
    def resumable(self) -> bool:
        """Whether a coordinator can take it up."""
        return self.state in ("queued", "stopped", "failed", "interrupted")

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {**self.__dict__, "folder": None if self.folder is None else str(self.folder)}


@dataclass(frozen=True)
class StudyRecord:
    """A study with all of its trials, in the order in which they were planned. Points that a sampler has yet to choose
    are in `info.points` and in no trial."""

    info: StudyInfo
    config: SweepConfig
    trials: tuple[TrialRecord, ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the swept fields, in the order of the configuration."""
        return tuple(self.config.space)


def read_study(folder: Path) -> StudyRecord:
    """The study in `folder`, cheap enough to be asked for every second. Raises StudyError when it cannot be read.

    Imports Optuna at the first call and not before: whoever shows no study does without it.
    """
    return cast(StudyRecord, import_module("triadapt.sweeps.reading").read(folder))
