"""What stands in for the manager where the pages are tested without a worker, and what they say is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from drawn import words
from streamlit.testing.v1 import AppTest

from triadapt.config import RunConfig
from triadapt.lessons.races import race_configs
from triadapt.runs.branch import BranchPlan, make_branch
from triadapt.runs.info import RunError, RunInfo
from triadapt.runs.library import new_race


class Manager:
    """Stands in for the manager: remembers what it was told and trains nothing."""

    def __init__(self, runs: Path) -> None:
        self.runs = runs
        self.submitted: list[list[RunConfig]] = []
        self.resumed: list[str] = []
        self.error = ""
        self.ours: list[str] = []

    def active(self) -> list[str]:
        return self.ours

    def pause(self, race_id: str) -> bool:
        return True

    unpause = step = step_event = stop = pause

    def status_of(self, info: RunInfo) -> dict[str, Any]:
        return {"state": "failed", "message": "out of memory", "position": None, "speed": None, "eta": None}

    def submit(self, configs: list[RunConfig], name: str | None = None) -> str:
        if self.error:
            raise RunError(self.error)
        self.submitted.append(configs)
        return new_race(self.runs, configs).id

    def submit_lesson(self, slug: str, asked: dict[str, Any]) -> tuple[str, int]:
        configs = race_configs(slug, asked)
        return self.submit(configs), configs[0].seed

    def owns(self, race_id: str) -> bool:
        return True

    def branch(self, plan: BranchPlan, name: str | None = None) -> str:
        if self.error:
            raise RunError(self.error)
        return make_branch(self.runs, plan, name).id

    def resume(self, view: str) -> str:
        self.resumed.append(view)
        return view


def errors(app: AppTest) -> str:
    return "\n".join(words(error) for error in app.error)
