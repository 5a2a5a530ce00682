"""What is known of a run without reading its events."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from triadapt.methods.registry import METHODS
from triadapt.tasks.registry import ELSEWHERE

# States as readers see them. `interrupted` and `damaged` are never written: they are found out.
STATES = (
    "queued", "running", "paused", "finished", "stopped", "failed", "interrupted", "damaged", "recorded",
)  # fmt: skip
LIVE = ("queued", "running", "paused")
RESUMABLE = ("stopped", "failed", "interrupted")
MEASURED = ("step_seconds",)
"""What `RunInfo.measured` may hold."""


class RunError(ValueError):
    """A run cannot be found, read or changed. The message is one line that says why and what to do."""


class DamagedRunError(RunError):
    """A run's file is not what a run's file should be."""


Scalar = bool | int | float | str


@dataclass(frozen=True)
class BranchedFrom:
    """Where a run left another: after step `step` of run `run`, with `changes` by field as (before, after)."""

    run: str
    step: int
    changes: dict[str, tuple[Scalar, Scalar]] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Any) -> BranchedFrom | None:
        """Read from a run's lineage; None where it is not what this program writes. A bundle may bring anything."""
        if not isinstance(values, Mapping):
            return None
        run, step, changes = values.get("run"), values.get("step"), values.get("changes")
        if not (_is_word(run) and type(step) is int and isinstance(changes, Mapping)):
            return None
        found: dict[str, tuple[Scalar, Scalar]] = {}
        for name, pair in changes.items():
            if not (_is_word(name) and isinstance(pair, list | tuple) and len(pair) == 2 and all(map(_is_plain, pair))):
                return None
            found[name] = (pair[0], pair[1])
        return cls(str(run), step, found)

    def as_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self) | {"changes": {name: list(pair) for name, pair in self.changes.items()}}

    def line(self) -> str:
        """The lineage in words."""
        what = told_changes(self.changes) or "nothing changed"
        return f"branched from {self.run} at step {self.step}: {what}"


def told_changes(changes: Mapping[str, tuple[Scalar, Scalar]], called: Callable[[str], str] = str) -> str:
    """Changes in words: `interval 20 -> 10, warmup 60 -> 40`. called: what a field is called there."""
    return ", ".join(f"{called(name)} {_told(old)} -> {_told(new)}" for name, (old, new) in changes.items())


def told_rank(total: int | None, target: int | None, *, allotted: bool = True, of: str = " of ") -> str:
    """A total rank as text: with its target, where there is one, or `effective 77`. Empty where it is not known."""
    if total is None:
        return ""
    if not allotted:
        return f"effective {total}"
    return f"{total}{of}{target}" if target else str(total)


def _told(value: Scalar) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _is_word(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_.\-]{1,100}", value) is not None


def _is_plain(value: Any) -> bool:
    return isinstance(value, bool | int | float) or _is_word(value)


@dataclass(frozen=True)
class RunInfo:
    """One run at a glance.

    created: seconds since 1970. last_step: step of the newest `Step` event, -1 before the first. last_seq: newest
    sequence number, 0 when there is none. generation: how often events were taken back for a resume; a reader that
    kept events of an older generation must read again from 0. seconds: active running time. metric_value: newest value
    of the metric named `metric`. lineage: where the run comes from when it was not trained here, or
    only from a branch point on. measured: of the machine it ran on, see `MEASURED`; empty when unknown.
    rank_kind: see `Started`; empty before the start, and in files from before there was a choice.
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
    measured: dict[str, float] = field(default_factory=dict)
    rank_kind: str = ""

    @property
    def allotted(self) -> bool:
        """Whether its total rank is the run's own; else it is the sum of effective ranks."""
        spec = METHODS.get(self.method)
        return (self.rank_kind or (spec.rank if spec else "")) != "measured"

    def told_rank(self, of: str = " of ") -> str:
        """Its total rank as text."""
        return told_rank(self.total_rank, self.target_total_rank, allotted=self.allotted, of=of)

    @property
    def live(self) -> bool:
        """Waiting, running or paused: a process still has plans for it."""
        return self.state in LIVE

    @property
    def resumable(self) -> bool:
        """It ended before its last step and can go on from its newest checkpoint."""
        return self.state in RESUMABLE and "imported" not in self.lineage and self.task != ELSEWHERE.name

    @property
    def without_steps(self) -> bool:
        """It came from elsewhere without a single loss: an adapter, or a log of nothing but ranks."""
        return self.state == "finished" and self.last_step < 0 and self.task == ELSEWHERE.name

    @property
    def branched_from(self) -> BranchedFrom | None:
        """The run this one goes on from, and where."""
        return BranchedFrom.of(self.lineage.get("branched_from"))

    @property
    def study(self) -> str:
        """The study that this run is a trial of; empty where it is of none."""
        study = self.lineage.get("study")
        return str(study) if _is_word(study) else ""

    @property
    def parent(self) -> str:
        """The run it comes from, short, for a table; empty for a run that was trained here from its first step."""
        if self.branched_from is not None:
            return f"{self.branched_from.run} at {self.branched_from.step}"
        return str(self.lineage.get("run") or self.lineage.get("imported", ""))

    @property
    def origin(self) -> str:
        """The lineage in words; empty for a run that was trained here from its first step."""
        imported = self.lineage.get("imported")
        run = f", run {self.lineage['run']}" if self.lineage.get("run") else ""
        lines = [f"imported from {imported}{run}"] if imported else []
        lines += [f"trial {self.lineage.get('trial')} of {self.study}"] if self.study else []
        return "; ".join(lines + ([self.branched_from.line()] if self.branched_from else []))

    def as_dict(self) -> dict[str, Any]:
        """JSON values; the folder as text."""
        values = dict(self.__dict__)
        values["folder"] = None if self.folder is None else str(self.folder)
        return values
