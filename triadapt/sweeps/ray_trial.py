"""What trains one trial on a node of a Ray cluster. Lives on the node, knows nothing of the study."""

from __future__ import annotations

import queue
import tempfile
import threading
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from triadapt.sweeps.run_copy import Batch, CopyReader, Files, unpack
from triadapt.workers.lockstep import Command, Lockstep
from triadapt.workers.sessions import load

BATCH_SECONDS = 0.5


class RayTrial:
    """An actor. `train` is a stream of batches, `stop` may be called meanwhile."""

    def __init__(self, run: str, files: Files, resume: bool, open_sessions: str, version_there: str) -> None:
        here = version("triadapt")
        if here != version_there:
            raise RuntimeError(f"this node has triadapt {here}, the study runs on {version_there}; install the same")
        self._run, self._files, self._resume, self._open_sessions = run, files, resume, open_sessions
        self._error = ""
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()

    def stop(self, reason: str) -> None:
        """End the run with a checkpoint."""
        self._commands.put(Command("stop", reason))

    def train(self) -> Iterator[Batch]:
        """Train to the end. The last batch has the state in which the run ended."""
        with tempfile.TemporaryDirectory(prefix="triadapt-trial-") as place:
            folder = Path(place) / self._run
            unpack(folder, self._files)
            reader = CopyReader(folder)
            training = threading.Thread(target=self._loop, args=(folder,), name="training", daemon=True)
            training.start()
            while training.is_alive():
                training.join(BATCH_SECONDS)
                yield reader.batch()
            yield reader.batch()
        if self._error:
            raise RuntimeError(self._error)

    def _loop(self, folder: Path) -> None:
        sessions = load(self._open_sessions)
        try:
            Lockstep([folder], sessions, resume=self._resume, commands=self._commands).run()
        except Exception as error:
            self._error = f"{type(error).__name__}: {' '.join(str(error).split())}"
