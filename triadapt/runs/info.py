"""What is known of a run without reading its events."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# States as readers see them. `interrupted` and `damaged` are never written: they are found out.
STATES = (
    "queued", "running", "paused", "finished", "stopped", "failed", "interrupted", "damaged", "recorded",
)  # fmt: skip
LIVE = ("queued", "running", "paused")
RESUMABLE = ("stopped", "failed", "interrupted")


class RunError(ValueError):
    """A run cannot be found, read or changed. The message is one line that says why and what to do."""


class DamagedRunError(RunError):
    """A run's file is not what a run's file should be."""


@dataclass(frozen=True)
class RunInfo:
    """One run at a glance.

    created: seconds since 1970. last_step: step of the newest `Step` event, -1 before the first. last_seq: newest
    sequence number, 0 when there is none. generation: how often events were taken back for a resume; a reader that
    kept events of an older generation must read again from 0. seconds: active running time. metric_value: newest value
    of the metric named `metric`. lineage: where the run comes from when it was not trained here.
    """

    id: str
    race: str = ""
    position: int = 0
    name: str = ""
    note: str = ""
    method: str = ""
    task: str = ""
    state: str = "damaged"
    error: str = ""
    created: float = 0.0
    steps: int = 0
    last_step: int = -1
    last_seq: int = 0
    generation: int = 0
    seconds: float = 0.0
    total_rank: int | None = None
    target_total_rank: int | None = None
    metric: str = ""
    metric_value: float | None = None
    folder: Path | None = None
    config: dict[str, Any] = field(default_factory=dict)
    lineage: dict[str, Any] = field(default_factory=dict)

    @property
    def live(self) -> bool:
        """Waiting, running or paused: a process still has plans for it."""
        return self.state in LIVE

    @property
    def resumable(self) -> bool:
        """It ended before its last step and can go on from its newest checkpoint."""
        return self.state in RESUMABLE and not self.lineage

    def as_dict(self) -> dict[str, Any]:
        """JSON values; the folder as text."""
        values = dict(self.__dict__)
        values["folder"] = None if self.folder is None else str(self.folder)
        return values
