"""What a task offers to training: a model to adapt, data in a fixed order, a loss and a metric."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import nn

from triadapt.events import Matrix


class Task(Protocol):
    """A model, data, a loss and a metric.

    One task object serves every run of a race, so that they share data and data order: nothing here may depend on the
    method. Everything is a pure function of the settings, the seed and the step; no state is kept between steps.
    """

    metric: str
    """Name of the metric that `evaluate` returns first, for example `accuracy`."""
    higher_is_better: bool
    modules_to_save: list[str]
    """Names of modules outside the adapter that are trained too (a classification head)."""

    pretrained: str
    """Path of the pretrained model inside the task's, for exports; empty where the whole model is it."""
    pretrained_name: str
    """By what name transformers loads the pretrained model; empty where it does not."""
    loaded_by: str
    """The class of transformers that loads it, such as `AutoModel`."""
    head: str
    """What `modules_to_save` are, in words, for whoever gets their weights; empty where there are none."""

    def build_model(self) -> nn.Module:
        """A fresh model, equal at every call, on the task's device, every parameter frozen except those of
        `modules_to_save`."""

    def matrices(self) -> list[Matrix]:
        """The linear layers to adapt, in a stable order (by layer, then by module)."""

    def batch(self, step: int) -> Any:
        """The training batch of optimizer step `step` (from 0), a pure function of seed and step, on the device."""

    def loss(self, model: nn.Module, batch: Any) -> torch.Tensor:
        """The plain training loss, a scalar."""

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Metrics on held-out data: `{self.metric: value, "loss": value}`. Called in eval mode, without gradients."""

    def baselines(self) -> dict[str, float]:
        """Values of `metric` that need no adapter (majority class, head alone), to be drawn beside the runs.

        Called once a run; may be slow the first time and should cache what it computes.
        """

    def describe(self) -> dict[str, Any]:
        """What makes the data reproducible: hash of the set, versions, sizes. JSON types only."""
