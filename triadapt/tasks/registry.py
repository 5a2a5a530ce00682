"""The tasks triadapt knows. Free of torch, like the registry of methods.

A new task is one new folder under `triadapt/tasks/` and one line in `TASKS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from triadapt.pretrained.settings import PretrainedSettings

if TYPE_CHECKING:
    from triadapt.tasks.interface import Task


@dataclass(frozen=True)
class TaskSpec:
    """One task: `settings` and `build` are `module:attribute` paths, the settings module free of torch.

    `defaults` are the values of `RunConfig` that suit this task when the user names none. `metric` and
    `higher_is_better` are what the task says of itself, unless its settings have a `measured()`; a study has to know
    before anything is built. `glance`, where a task reads files of the user's: a function from its settings to a line
    for each thing that is wrong with them, cheap and free of torch.
    """

    name: str
    label: str
    summary: str
    settings: str
    build: str
    defaults: dict[str, float | int | str]
    metric: str
    higher_is_better: bool
    glance: str = ""

    def settings_class(self) -> type[BaseModel]:
        """The pydantic model of this task's own section of a configuration."""
        return _load(self.settings)

    def measured(self, settings: BaseModel) -> tuple[str, bool]:
        """Name of the metric under these settings, and whether more of it is better."""
        own = getattr(settings, "measured", None)
        return own() if own is not None else (self.metric, self.higher_is_better)

    def data_problems(self, settings: BaseModel) -> list[str]:
        """One line for each thing that is wrong with the data and the model of these settings, as a glance tells.
        Not asked when a configuration is read: that of an old run is one, wherever its files are now."""
        of_data = list(_load(self.glance)(settings)) if self.glance else []
        if not isinstance(settings, PretrainedSettings):
            return of_data
        return settings.model_problems(self.name) + of_data or settings.length_problems(self.name)

    def build_task(self, **arguments: Any) -> Task:
        """Make the task: models, data, loss. Imports torch."""
        if not self.build:
            raise ValueError(NOT_TRAINED_HERE)
        return _load(self.build)(**arguments)


def _load(path: str) -> Any:
    module, attribute = path.split(":")
    return getattr(import_module(module), attribute)


ON_AN_ENCODER: dict[str, float | int | str] = {
    "steps": 150, "learning_rate": 1e-3, "batch_size": 16, "reference_rank": 4, "warmup": 10, "interval": 5,
}  # fmt: skip
TASKS: dict[str, TaskSpec] = {
    spec.name: spec
    for spec in (
        TaskSpec(
            "planted",
            "Planted ranks",
            "a teacher with low-rank changes on some matrices; the truth is known",
            "triadapt.tasks.planted.settings:Settings",
            "triadapt.tasks.planted.task:PlantedTask",
            {"steps": 600, "learning_rate": 5e-3, "batch_size": 16, "reference_rank": 2, "warmup": 60, "interval": 20},
            metric="relative loss",
            higher_is_better=False,
        ),
        TaskSpec(
            "text",
            "Docstrings (MiniLM)",
            "a pretrained encoder on docstrings of installed libraries",
            "triadapt.tasks.text.settings:Settings",
            "triadapt.tasks.text.task:TextTask",
            ON_AN_ENCODER,
            metric="accuracy",
            higher_is_better=True,
        ),
        TaskSpec(
            "files",
            "Your table",
            "a pretrained model on the rows of a file of your own",
            "triadapt.tasks.files.settings:Settings",
            "triadapt.tasks.files.task:FilesTask",
            ON_AN_ENCODER,
            metric="accuracy",
            higher_is_better=True,
            glance="triadapt.tasks.files.table:glance",
        ),
        TaskSpec(
            "hub",
            "Hub dataset",
            "a pretrained model on a dataset of the Hugging Face hub",
            "triadapt.tasks.hub.settings:Settings",
            "triadapt.tasks.hub.task:HubTask",
            ON_AN_ENCODER,
            metric="accuracy",
            higher_is_better=True,
        ),
        TaskSpec(
            "qa",
            "Questions (SQuAD v2)",
            "answers found in a context, or none, in files as SQuAD v2 has them",
            "triadapt.tasks.qa.settings:Settings",
            "triadapt.tasks.qa.task:QuestionsTask",
            {**ON_AN_ENCODER, "steps": 200, "batch_size": 8, "eval_every": 50},
            metric="f1",
            higher_is_better=True,
            glance="triadapt.tasks.qa.reading:glance",
        ),
        TaskSpec(
            "causal",
            "Plain text (causal)",
            "a pretrained decoder on text of your own",
            "triadapt.tasks.causal.settings:Settings",
            "triadapt.tasks.causal.task:CausalTask",
            {**ON_AN_ENCODER, "learning_rate": 5e-4, "batch_size": 8},
            metric="perplexity",
            higher_is_better=False,
            glance="triadapt.tasks.causal.documents:glance",
        ),
    )
}

NOT_TRAINED_HERE = (
    "task = 'elsewhere': names training that RankRecorder watched and triadapt cannot run; choose another"
)
ELSEWHERE = TaskSpec(
    "elsewhere",
    "training of your own",
    "what RankRecorder watched",
    "triadapt.tasks.elsewhere:Settings",
    "",
    {},
    metric="loss",
    higher_is_better=False,
    glance="triadapt.tasks.elsewhere:glance",
)
KNOWN_TASKS = {**TASKS, ELSEWHERE.name: ELSEWHERE}
"""All tasks that a run may name; those of `TASKS` can be trained."""
