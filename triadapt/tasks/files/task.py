"""The task on tables of the user's own."""

from __future__ import annotations

from triadapt.tasks.files.settings import Settings
from triadapt.tasks.files.table import labelled_text
from triadapt.tasks.labelled.task import LabelledTask


class FilesTask(LabelledTask):
    """Rows of local files. Raises ConfigError when the model cannot be had or a file does not hold what it should."""

    def __init__(self, settings: Settings, *, seed: int, batch_size: int, steps: int, device: str) -> None:
        super().__init__(
            labelled_text(settings), settings, section="files", seed=seed, batch_size=batch_size, steps=steps,
            device=device,
        )  # fmt: skip
