"""The manager as one visitor has it: who asks is told with every wish, and in a class what may be wished is checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from triadapt.classroom.limits import MOST_WAITING, refusals
from triadapt.config import RunConfig
from triadapt.lessons.races import race_configs
from triadapt.lessons.registry import LESSONS
from triadapt.runs.branch import BranchPlan
from triadapt.runs.info import RunError, RunInfo
from triadapt.runs.library import find
from triadapt.ui.classroom.room import student_of
from triadapt.ui.classroom.rules import check_own, owns, rules_of
from triadapt.ui.classroom.seat import Seat
from triadapt.ui.messages import keep_message
from triadapt.workers.manager import RunManager

NO_TRAINING = "Training is off in this class; recorded races and those of the teacher can be watched."
OTHERS_WAIT = "Others wait for their turn: a race can be held only while nobody does."


class Desk:
    """Offers what `RunManager` does, of which it says more, to the visitor on a seat. What starts something never looks
    at the session, where a script that is no longer wanted would end and the wish be lost."""

    def __init__(self, manager: RunManager, taken: Seat) -> None:
        self._manager = manager
        self._seat = taken

    @property
    def runs(self) -> Path:
        """The folder of runs."""
        return self._manager.runs

    def submit(self, configs: Sequence[RunConfig], name: str | None = None) -> str:
        """Queue a new race."""
        self._check(configs)
        return self._manager.submit(configs, name, visitor=self._seat.visitor, most=self._most())

    def submit_lesson(self, slug: str, asked: Mapping[str, Any]) -> tuple[str, int]:
        """Queue the race of a lesson, whose settings are the lesson's and not those that the class keeps fixed on Play.
        Returns its id and its seed. Raises ConfigError too."""
        room = student_of(self._seat)
        if room is not None and not room.training:
            raise RunError(room.problem or NO_TRAINING)
        configs = race_configs(slug, asked)
        name = f"Lesson: {LESSONS[slug].title}"
        race = self._manager.submit(configs, name, visitor=self._seat.visitor, most=self._most())
        return race, configs[0].seed

    def branch(self, plan: BranchPlan, name: str | None = None) -> str:
        """Queue a run that goes on from another's checkpoint."""
        self._check([plan.config])
        return self._manager.branch(plan, name, visitor=self._seat.visitor, most=self._most())

    def resume(self, run_or_race_id: str) -> str:
        """Queue what ended early."""
        self._check([])
        for info in find(self.runs, run_or_race_id):
            check_own(self._manager, info.race, self._seat)
        return self._manager.resume(run_or_race_id, visitor=self._seat.visitor, most=self._most())

    def pause(self, race_id: str) -> bool:
        """Hold the race; a student's only while nobody else waits."""
        return self._hold(race_id, self._manager.pause)

    def step(self, race_id: str) -> bool:
        """One step, then hold."""
        return self._hold(race_id, self._manager.step)

    def step_event(self, race_id: str) -> bool:
        """Up to the next rank event, then hold."""
        return self._hold(race_id, self._manager.step_event)

    def unpause(self, race_id: str) -> bool:
        """Go on after a pause."""
        return owns(self._manager, race_id, self._seat) and self._manager.unpause(race_id)

    def stop(self, race_id: str) -> bool:
        """End the race, or take it out of the queue."""
        return owns(self._manager, race_id, self._seat) and self._manager.stop(race_id)

    def _hold(self, race_id: str, hold: Any) -> bool:
        if not owns(self._manager, race_id, self._seat):
            return False
        if student_of(self._seat) is None:
            return bool(hold(race_id))
        held = bool(hold(race_id, yields=True))
        if not held and self._manager.active()[:1] == [race_id]:
            keep_message(OTHERS_WAIT)
        return held

    def status(self, run_id: str) -> dict[str, Any]:
        """Live fields of a run."""
        return self._manager.status(run_id)

    def status_of(self, info: RunInfo) -> dict[str, Any]:
        """The same of a run whose file was just read."""
        return self._manager.status_of(info)

    def active(self) -> list[str]:
        """The race that runs, then those that wait."""
        return self._manager.active()

    def owns(self, race_id: str) -> bool:
        """Whether this visitor may stop the race."""
        return owns(self._manager, race_id, self._seat)

    def made_by(self, race_id: str) -> str | None:
        """Who asked for the race."""
        return self._manager.made_by(race_id)

    def ready(self) -> bool:
        """Whether a worker is warm."""
        return self._manager.ready()

    def wait(self, race_id: str, timeout: float | None = None) -> bool:
        """Block until the race neither runs nor waits."""
        return self._manager.wait(race_id, timeout)

    def _most(self) -> int | None:
        return None if student_of(self._seat) is None else MOST_WAITING

    def _check(self, configs: Sequence[RunConfig]) -> None:
        """Raises RunError when a student may not train these."""
        room = student_of(self._seat)
        if room is None:
            return
        if not room.training:
            raise RunError(room.problem or NO_TRAINING)
        rules = rules_of(room)
        if lines := refusals(configs, rules.locked, rules.hidden):
            raise RunError("; ".join(lines))
