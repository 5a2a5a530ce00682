"""The task on datasets of the hub."""

from __future__ import annotations

from dataclasses import replace

from triadapt.tasks.hub.reading import tables_of
from triadapt.tasks.hub.settings import Settings
from triadapt.tasks.labelled.table import labelled_text
from triadapt.tasks.labelled.task import LabelledTask


class HubTask(LabelledTask):
    """Rows of a dataset of the hub. Raises ConfigError when it or the model cannot be had."""

    def __init__(self, settings: Settings, *, seed: int, batch_size: int, steps: int, device: str) -> None:
        tables, facts = tables_of(settings)
        data = labelled_text(tables, settings)
        super().__init__(
            replace(data, facts={**facts, **data.facts}), settings, section="hub", seed=seed, batch_size=batch_size,
            steps=steps, device=device,
        )  # fmt: skip
