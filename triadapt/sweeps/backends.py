"""Where trials run: what a coordinator asks of a backend.

A backend trains run folders; it does not know of studies, points or Optuna. Whatever it trains ends up in the run's own
file on the coordinator's machine, as if it had been trained there: that is where the coordinator reads evaluations, and
why every page works for the runs of a study.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self, cast

from triadapt.sweeps.config import SweepConfig

Outcome = Literal["finished", "stopped", "failed", "lost"]


class BackendError(RuntimeError):
    """Nothing can be trained at all: no worker starts, a cluster cannot be reached. One line, with what to do."""


@dataclass(frozen=True)
class Ended:
    """A trial's run that is no longer trained. Its file says as much, but for `lost`.

    finished: its last step was made. stopped: as `stop` asked; it can be resumed. failed: its own error, in its file.
    lost: who trained it is gone (a process was killed, a node died) through no fault that is known of the run's; its
    file may stand as it was at that moment and can be resumed. `error`: one line on why it was lost or failed.
    """

    run: str
    outcome: Outcome
    error: str = ""


class Backend(Protocol):
    """Trains runs somewhere. All methods are called from one thread, that of the coordinator.

    A run is known by its id, which is the name of its folder. Closing, or the death of the coordinator, ends everything
    that a backend started: nothing trains on without a coordinator.
    """

    def free(self) -> int:
        """How many more runs it would take now. May change with the size of a cluster."""

    def start(self, folder: Path, *, resume: bool) -> None:
        """Begin to train the run in `folder`. resume: go on from its newest checkpoint, or from the first step where
        there is none. Comes back at once; how it ends is told by `poll`. Raises BackendError."""

    def stop(self, run: str, reason: str) -> None:
        """Ask for the end of a run, with a checkpoint; `poll` will tell. Nothing happens for one that is not trained.
        `reason` becomes that of its `Stopped` event."""

    def poll(self, timeout: float) -> list[Ended]:
        """What ended since the last call; waits up to `timeout` seconds for something to end. Raises BackendError."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop what is trained, with checkpoints, and give back what is held."""


_BACKENDS = {"local": "triadapt.sweeps.local", "ray": "triadapt.sweeps.ray_backend"}


def open_backend(config: SweepConfig, open_sessions: str) -> Backend:
    """The backend that a study asks for. Its module has a function of this name, and is imported only now: not
    everybody has what another needs. open_sessions: `module:function` that runs are opened with.

    Raises BackendError.
    """
    try:
        module = import_module(_BACKENDS[config.on])
    except ModuleNotFoundError as error:
        raise BackendError(
            f'on = "{config.on}": {error.name} is not installed; install triadapt[{config.on}], or use on = "local"'
        ) from error
    return cast(Backend, module.open_backend(config, open_sessions))
