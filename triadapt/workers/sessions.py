"""How real sessions are opened. Imports torch when called, so only the process that trains may call it."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import cast

from triadapt.config import RunConfig
from triadapt.methods.registry import METHODS
from triadapt.workers.lockstep import OpenSessions, TrainingSession

OPEN_SESSIONS = f"{__name__}:open_sessions"

# The planted model is so small that threads cost more than they bring.
THREADS = {"planted": 1}


# How many threads a worker may use at most, for workers that share a machine.
MOST_THREADS = "TRIADAPT_MOST_THREADS"


def threads_of(task: str, threads: int) -> int:
    """CPU threads a run of this task trains with, where its configuration asks for so many, 0 for as many as suit."""
    return threads or THREADS.get(task, 0) or cores()


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def open_sessions(configs: list[RunConfig], folders: list[Path | None]) -> list[TrainingSession]:
    """Sessions of one race over their run folders."""
    asked = threads_of(configs[0].task, configs[0].threads)
    import_module("torch").set_num_threads(min(int(os.environ.get(MOST_THREADS) or asked), asked))
    race = import_module("triadapt.training.race")
    return list(race.open_race(configs, folders))


def warm_up() -> None:
    """Import what training needs, so that the first race does not wait for it."""
    for name in ("torch", "transformers", "peft", "triadapt.training.race"):
        import_module(name)
    for spec in METHODS.values():
        spec.run_class()


def load(path: str) -> OpenSessions:
    """The function `module:function`."""
    module, _, function = path.partition(":")
    return cast(OpenSessions, getattr(import_module(module), function))
