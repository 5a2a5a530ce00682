"""The text task: a pretrained encoder learns from docstrings of installed libraries."""

from __future__ import annotations

from collections.abc import Sequence

from triadapt.tasks.labelled.rows import LabelledText, Side
from triadapt.tasks.labelled.task import LabelledTask
from triadapt.tasks.text.rows import Row, load_rows
from triadapt.tasks.text.settings import Settings


class TextTask(LabelledTask):
    """Docstrings. The rows depend on the settings and the installed libraries. Raises ConfigError when the encoder or
    the rows cannot be had."""

    def __init__(self, settings: Settings, *, seed: int, batch_size: int, steps: int, device: str) -> None:
        found = load_rows(settings.labels, settings.train_rows, settings.dev_rows)
        pairs = settings.labels == "pair"
        facts = {
            "labels": settings.labels,
            "libraries": dict(found.versions),
            "missing_libraries": list(found.missing),
        }
        data = LabelledText(_side(found.train, pairs), _side(found.dev, pairs), found.classes, found.sha256, facts)
        super().__init__(data, settings, section="text", seed=seed, batch_size=batch_size, steps=steps, device=device)


def _side(rows: Sequence[Row], pairs: bool) -> Side:
    names = [row.name for row in rows] if pairs else None
    return Side([row.summary for row in rows], names, [row.label for row in rows])
