"""Trials as actors of a Ray cluster that runs already (extra `ray`).

A trial's run folder is sent to whatever node has room, trained there by the same loop as everywhere, and what it writes
comes back a few times a second: events, and the newest checkpoint. So the run's file on this machine is always as good
as the last half second, and a node that dies costs no more than that: the trial goes on elsewhere from its checkpoint.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import ray
from ray.exceptions import RayError

from triadapt.runs.store import RunStore
from triadapt.sweeps.backends import BackendError, Ended, Outcome
from triadapt.sweeps.config import RaySection, SweepConfig
from triadapt.sweeps.local import ORPHANED
from triadapt.sweeps.ray_trial import RayTrial
from triadapt.sweeps.run_copy import Batch, apply_batch, packed
from triadapt.workers.sessions import MOST_THREADS, OPEN_SESSIONS

CLOSING_SECONDS = 30.0
CONNECT_SECONDS = 5.0
NO_ROOM_SECONDS = 60.0
_OUTCOMES: dict[str, Outcome] = {"finished": "finished", "stopped": "stopped", "failed": "failed"}


def open_backend(config: SweepConfig, open_sessions: str) -> RayBackend:
    """The cluster that the study names. Raises BackendError when it cannot be reached."""
    return RayBackend(config.ray, config.workers, open_sessions)


@dataclass
class _Trial:
    run: str
    store: RunStore
    actor: Any  # a handle, whose methods are asked for with `.remote`
    batches: Any
    state: str = ""
    error: str = ""


class RayBackend:
    """A backend over a Ray cluster. workers: trials at a time; 0: as many as the cluster has room for."""

    def __init__(self, section: RaySection, workers: int = 0, open_sessions: str = OPEN_SESSIONS) -> None:
        self._section = section
        self._workers = workers
        self._open_sessions = open_sessions
        self._trials: list[_Trial] = []
        self._no_room_since: float | None = None
        _connect(section.address)
        self._actor = ray.remote(RayTrial).options(
            num_cpus=section.cpus, num_gpus=section.gpus, max_concurrency=2, max_restarts=0, max_task_retries=0,
            runtime_env={"env_vars": {MOST_THREADS: str(max(1, int(section.cpus)))}},
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for trial in self._trials:
            trial.actor.stop.remote(ORPHANED)
        until = time.monotonic() + CLOSING_SECONDS
        while self._trials and time.monotonic() < until:
            self.poll(0.5)
        for trial in self._trials:
            trial.store.close()
        self._trials.clear()
        ray.shutdown()  # ends the actors that are left

    def free(self) -> int:
        """Trials that the cluster has room for, as it is now. Raises BackendError when it never had room for one."""
        room = self._room()
        if not room and not self._trials:
            # Nodes may be on their way.
            self._no_room_since = self._no_room_since or time.monotonic()
            if time.monotonic() - self._no_room_since > NO_ROOM_SECONDS:
                raise BackendError(self._too_large())
        else:
            self._no_room_since = None
        return max(0, (min(room, self._workers) if self._workers else room) - len(self._trials))

    def _room(self) -> int:
        rooms = []
        for node in ray.nodes():
            if node["Alive"]:
                have = node["Resources"]
                fit = have.get("CPU", 0.0) / self._section.cpus
                if self._section.gpus:
                    fit = min(fit, have.get("GPU", 0.0) / self._section.gpus)
                rooms.append(int(fit + 1e-9))
        return sum(rooms)

    def _too_large(self) -> str:
        have = ray.cluster_resources()
        return (
            f"ray.cpus = {self._section.cpus:g}, ray.gpus = {self._section.gpus:g}: no node of the cluster has room "
            f"for one trial (in all {have.get('CPU', 0):g} CPUs, {have.get('GPU', 0):g} GPUs); ask for less, or add one"
        )

    def start(self, folder: Path, *, resume: bool) -> None:
        """Send the run in `folder` to the cluster."""
        store = RunStore.open(folder)
        store.set_state("queued")  # so the copy says, too: it has no owner yet
        files = packed(folder)
        store.set_state("running")
        actor: Any = self._actor.remote(folder.name, files, resume, self._open_sessions, version("triadapt"))
        batches = actor.train.options(num_returns="streaming").remote()
        self._trials.append(_Trial(folder.name, store, actor, batches))

    def stop(self, run: str, reason: str) -> None:
        """Ask the actor that trains `run` to stop it."""
        for trial in self._trials:
            if trial.run == run:
                trial.actor.stop.remote(reason)

    def poll(self, timeout: float) -> list[Ended]:
        """Take over what came in; what ended, see `Backend`."""
        if not self._trials:
            time.sleep(timeout)
            return []
        by_batches = {trial.batches: trial for trial in self._trials}
        ready, _ = ray.wait(list(by_batches), timeout=timeout, num_returns=1)
        ready += ray.wait([one for one in by_batches if one not in ready], timeout=0, num_returns=1)[0] if ready else []
        found = [self._take(by_batches[one]) for one in ready]
        return [ended for ended in found if ended is not None]

    def _take(self, trial: _Trial) -> Ended | None:
        try:
            batch: Batch = ray.get(next(trial.batches))
        except StopIteration:
            return self._end(trial, _OUTCOMES.get(trial.state, "failed"), trial.error)
        except RayError as error:
            return self._end(trial, "lost", _one_line(error))
        apply_batch(trial.store, batch)
        trial.state, trial.error = batch.state, batch.error
        return None

    def _end(self, trial: _Trial, outcome: Outcome, error: str) -> Ended:
        if outcome != "lost":
            trial.store.set_state(outcome, error)
        trial.store.close()
        ray.kill(trial.actor)
        self._trials.remove(trial)
        return Ended(trial.run, outcome, error)


def _connect(address: str) -> None:
    """Join the cluster. Raises BackendError when none answers, before Ray would have tried for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if address != "auto":
        try:
            socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
        except (OSError, ValueError) as error:
            raise BackendError(f"ray.address = {address!r}: cannot be reached ({error}); {_START}") from error
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray.init(address=address, log_to_driver=False, configure_logging=False, include_dashboard=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise BackendError(f"ray.address = {address!r}: no cluster answers ({_one_line(error)}); {_START}") from error


_START = "start one with `ray start --head` and give the address that it prints"


def _one_line(error: BaseException) -> str:
    cause = getattr(error, "cause", None) or error  # of an error on a node: what was raised there
    text = " ".join(str(cause).split())[:200]
    return f"{type(cause).__name__}: {text}" if text else type(cause).__name__
