"""What the drivers of all methods share: wrapping the task's model with PEFT and finding the adapted layers."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from peft import PeftConfig, PeftModel, get_peft_model
from torch import nn
from transformers.pytorch_utils import Conv1D

from triadapt.growth.decision import event_due
from triadapt.growth.optimizer_state import FreshSteps
from triadapt.growth.preview import as_published
from triadapt.methods import peft_registration  # noqa: F401  (registers our tuners)
from triadapt.methods.geometry import product_singular_values
from triadapt.methods.growing import check_finite, decide_growth
from triadapt.methods.interface import MethodRun, RankDecision

if TYPE_CHECKING:
    from triadapt.config import AllocationConfig
    from triadapt.events import Matrix


class PeftRun(MethodRun):
    """A method that PEFT hosts: `layers[i]` is the adapted layer of `matrices[i]`."""

    def __init__(
        self, model: PeftModel, matrices: list[Matrix], config: AllocationConfig, adapter: str = "default"
    ) -> None:
        super().__init__(model, matrices, config, adapter)
        modules = dict(model.named_modules())
        self.layers: list[Any] = [modules[f"base_model.model.{matrix.name}"] for matrix in matrices]
        self.tuner: Any = model.base_model

    @classmethod
    def adapt(
        cls, model: nn.Module, matrices: list[Matrix], config: AllocationConfig, modules_to_save: list[str]
    ) -> PeftModel:
        peft_config = cls.config_for(config, matrices)
        # None and [] differ in PEFT: only None leaves the model's other modules alone.
        peft_config.modules_to_save = list(modules_to_save) or None
        if hasattr(peft_config, "fan_in_fan_out"):  # ours set it by themselves, PEFT's warn
            peft_config.fan_in_fan_out = all(
                isinstance(model.get_submodule(matrix.name), Conv1D) for matrix in matrices
            )
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            # PEFT asks a model of transformers for this; what it calls it now PEFT does not know yet.
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
            torch.manual_seed(config.seed)
            return cast("PeftModel", get_peft_model(model, peft_config))

    @classmethod
    def config_for(cls, config: AllocationConfig, matrices: list[Matrix]) -> PeftConfig:
        """The same as `peft_config`, for a method that looks at more of the matrices than their names."""
        return cls.peft_config(config, [matrix.name for matrix in matrices])

    @classmethod
    def peft_config(cls, config: AllocationConfig, targets: list[str]) -> PeftConfig:
        """The PEFT configuration of this method over `targets`, full names of linear layers."""
        raise NotImplementedError

    def event_is_due(self, step: int) -> bool:
        return False

    def geometry(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        singular, cores = [], []
        for i in range(len(self.layers)):
            B, core, A, shown = self.factors(i)
            singular.append(product_singular_values(B, core, A))
            cores.append(shown.detach().float().cpu().flatten())
        return torch.cat(singular).numpy(), torch.cat(cores).numpy()

    def factors(self, index: int) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor, torch.Tensor]:
        """B (scale included), what stands between, A, and the core to show, for one matrix at its current rank."""
        raise NotImplementedError


class GrowingRun(PeftRun):
    """A method whose matrices grow at events; subclasses say how a matrix is scored and grown."""

    rule = ""

    def bind_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        super().bind_optimizer(optimizer)
        self.fresh = FreshSteps(optimizer, self.pace)

    def release_optimizer(self) -> None:
        self.fresh.remove()

    def pace(self, step: int, birth: int) -> float:
        """Learning rate of a block born at optimizer step `birth`, over the main one, at step `step` (both from 1)."""
        return 1.0

    def main_share(self, step: int) -> float:
        """Learning rate of optimizer step `step` (from 1) over its peak."""
        group = self.optimizer.param_groups[0] if hasattr(self, "optimizer") else {}
        if "initial_lr" in group:  # a scheduler of PyTorch's left it there
            return float(group["lr"]) / float(group["initial_lr"])
        total = self.config.steps
        return (total - step + 1) / total if self.config.lr_schedule == "linear" else 1.0

    def parameter_count(self) -> int:
        return sum(layer.parameter_count(self.adapter) for layer in self.layers)

    def growth_generator(self, step: int, index: int) -> torch.Generator:
        """Random numbers of one growth: they depend on seed, step and matrix only, so a resumed run draws the same."""
        return torch.Generator().manual_seed((self.config.seed * 1_000_003 + step) * 4096 + index)

    @property
    def decides_before_step(self) -> bool:  # type: ignore[override]
        return self.as_published

    def event_is_due(self, step: int) -> bool:
        return event_due(self.config, step, int(self.ranks().sum()), len(self.layers))

    @property
    def as_published(self) -> bool:
        """Whether the run follows the authors' code, which grows between backward and the optimizer's step."""
        return as_published(self.config)

    def before_step(self, step: int) -> RankDecision | None:
        return self._event(step) if self.as_published else None

    def after_step(self, step: int) -> RankDecision | None:
        return None if self.as_published else self._event(step)

    def _event(self, step: int) -> RankDecision | None:
        ranks = self.ranks()
        if not self.event_is_due(step):
            return None
        scores = self.event_scores()
        check_finite(scores, self.matrices, step)
        decision, grants = decide_growth(
            self.config,
            step=step,
            scores=scores,
            ranks=ranks,
            matrices=self.matrices,
            rule=self.rule or self.config.growth,
        )
        with torch.no_grad():
            for index, gain in grants:
                self.grow(index, gain, self.growth_generator(step, index))
            self.after_growth()
        return decision

    def event_scores(self) -> NDArray[np.float32]:
        """Importance of each matrix for the decision at hand, `(n,)`; called once an event."""
        raise NotImplementedError

    def grow(self, index: int, gain: int, generator: torch.Generator) -> None:
        """Grow one matrix by `gain` ranks."""
        raise NotImplementedError

    def after_growth(self) -> None:
        """Called at the end of every event."""

    def _names(self) -> dict[str, nn.Parameter]:
        return dict(self.model.named_parameters())

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        names = {parameter: name for name, parameter in self._names().items()}
        return {}, {"fresh": self.fresh.state(names)}

    def load_state(self, tensors: dict[str, torch.Tensor], extra: dict[str, Any]) -> None:
        self.fresh.load_state(extra["fresh"], self._names())


def shared_values(config: PeftConfig) -> dict[str, Any]:
    """What the configurations of all growing tuners say of an `AllocationConfig`."""
    return {"reference_rank": config.reference_rank, "add_r": config.add_r, "alpha": config.alpha}
