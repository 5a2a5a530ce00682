"""A race: runs that share task, data order and seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from triadapt.config import RunConfig
from triadapt.tasks.interface import Task
from triadapt.training.devices import choose_device
from triadapt.training.session import Session, build_task


def open_race(configs: list[RunConfig], folders: list[Path | None]) -> list[Session]:
    """One session for each configuration; those that ask for the same data share one task object."""
    tasks: dict[Any, Task] = {}
    sessions = []
    for config, folder in zip(configs, folders, strict=True):
        device = choose_device(config.device)
        key = (config.task, config.task_settings, config.seed, config.batch_size, config.steps, device)
        if key not in tasks:
            tasks[key] = build_task(config, device)
        sessions.append(Session(config, folder=folder, task=tasks[key]))
    return sessions
