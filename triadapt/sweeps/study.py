"""The trials of a study, kept in Optuna's storage: what the one coordinator writes, and how they are read.

A trial is added with its point and its seed and then waits; nothing is left for Optuna's samplers to choose when it
begins. So the storage says at every moment what is to be done, a coordinator that dies leaves trials that are merely
RUNNING, and the next one takes these up under the same numbers. (Optuna's own heartbeat, which fails such trials, works
with `optimize` only.)
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import optuna
from optuna.trial import FrozenTrial, TrialState

from triadapt.runs.info import Scalar
from triadapt.sweeps.config import SweepConfig
from triadapt.sweeps.record import Point, StudyError, TrialRecord
from triadapt.sweeps.space import key
from triadapt.sweeps.storage import UNREADABLE, one_line, open_reader, open_writer, stored_as

_STATES = {
    TrialState.WAITING: "waiting",
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}
# User attributes of a trial beside `point` and `seed`, and what stands in the record where there is none.
_NOTES: dict[str, Any] = {
    "run": "", "steps": 0, "total_steps": 0, "error": "", "parameters": None, "seconds": 0.0, "attempts": 0,
}  # fmt: skip


class StudyTrials:
    """The trials of the study in `folder`, for the process that holds its lock. Every change is in the file before the
    method returns; `records` has them all in order. Raises StudyError when the file cannot be opened or read."""

    def __init__(self, folder: Path, *, higher_is_better: bool | None = None) -> None:
        self._study, self._storage = open_writer(folder, higher_is_better=higher_is_better)
        self._study_id = self._storage.get_study_id_from_name(self._study.study_name)
        try:
            found = self._study.get_trials(deepcopy=False)
            self._ids = {trial.number: trial._trial_id for trial in found}
            self._records = {trial.number: trial_record(trial) for trial in found}
        except UNREADABLE as error:
            self.close()
            raise StudyError(f"{folder.name}: its trials cannot be read ({one_line(error)})") from error
        self._keys = {(key(record.point), record.seed) for record in self._records.values()}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    @property
    def records(self) -> list[TrialRecord]:
        """Every trial, by number."""
        return list(self._records.values())

    def points(self) -> list[Point]:
        """The different points, in the order in which they were planned."""
        return list({key(record.point): record.point for record in self._records.values()}.values())

    def add(self, config: SweepConfig, point: Point, seed: int) -> bool:
        """Plan a trial. False, with nothing done, when there is one of that point and seed already.

        Raises StudyError when a field of words gets a value that this file's trials were not made to take.
        """
        if (key(point), seed) in self._keys:
            return False
        kinds = stored_as({name: config.space[name] for name in point})
        trial = optuna.trial.create_trial(
            state=TrialState.WAITING,
            params=dict(point),
            distributions=kinds,
            user_attrs={"point": point, "seed": seed},
        )
        try:
            self._study.add_trial(trial)
        except ValueError as error:
            raise StudyError(f"{point}: cannot be added to this study ({error}); make a new one") from error
        number = len(self._records)
        self._ids[number] = self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)
        self._records[number] = TrialRecord(number, dict(point), seed, "waiting")
        self._keys.add((key(point), seed))
        return True

    def begin(self) -> TrialRecord | None:
        """The trial that waits longest, now running; None when none waits."""
        number = next((record.number for record in self._records.values() if record.state == "waiting"), None)
        if number is None:
            return None
        # What `ask` does, which would first read every trial that waits.
        self._storage.set_trial_state_values(self._ids[number], TrialState.RUNNING)
        return self._change(number, state="running")

    def note(self, number: int, **notes: Scalar | None) -> TrialRecord:
        """Write down what is known of a running trial: any of its `run`, `steps`, `error`, `attempts` and so on."""
        for name, value in notes.items():
            if getattr(self._records[number], name) != value:
                self._storage.set_trial_user_attr(self._ids[number], name, value)
        return self._change(number, **notes)

    def report(self, number: int, step: int, value: float) -> TrialRecord:
        """An evaluation of a running trial after `step` steps. Reported again, it replaces the earlier one."""
        known = dict(self._records[number].intermediate)
        if known.get(step) != value:
            self._storage.set_trial_intermediate_value(self._ids[number], step, value)
            known[step] = value
        return self._change(number, intermediate=tuple(sorted(known.items())))

    def complete(self, number: int, value: float) -> TrialRecord:
        """End a trial with the value it came to."""
        self._study.tell(number, value)
        return self._change(number, state="complete", value=value)

    def prune(self, number: int) -> TrialRecord:
        """End a trial early; its value is the newest evaluation."""
        told = self._study.tell(number, state=TrialState.PRUNED)
        return self._change(number, state="pruned", value=told.value)

    def fail(self, number: int, error: str) -> TrialRecord:
        """End a trial that came to nothing, and say why in one line."""
        self.note(number, error=error)
        self._study.tell(number, state=TrialState.FAIL)
        return self._change(number, state="failed")

    def _change(self, number: int, **values: Any) -> TrialRecord:
        self._records[number] = replace(self._records[number], **values)
        return self._records[number]


def trial_record(trial: FrozenTrial) -> TrialRecord:
    """A trial of Optuna's as the rest of the house knows it."""
    notes = {name: trial.user_attrs.get(name, default) for name, default in _NOTES.items()}
    return TrialRecord(
        number=trial.number,
        point=trial.user_attrs["point"],
        seed=trial.user_attrs["seed"],
        state=_STATES[trial.state],
        value=trial.value if trial.state.is_finished() else None,
        intermediate=tuple(sorted(trial.intermediate_values.items())),
        **notes,
    )


class TrialReader:
    """Reads the trials of the study in `folder` while it is written, or after. Raises StudyError."""

    def __init__(self, folder: Path) -> None:
        self._study = open_reader(folder)

    def records(self) -> tuple[TrialRecord, ...]:
        """Every trial, by number. What has ended is asked for once."""
        return tuple(trial_record(trial) for trial in self._study.get_trials(deepcopy=False))
