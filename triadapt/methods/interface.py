"""What a method offers to training: an adapted model, ranks, scores and decisions about rank."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

if TYPE_CHECKING:
    from peft import PeftConfig, PeftModel

    from triadapt.config import AllocationConfig
    from triadapt.events import Matrix


@dataclass(frozen=True)
class RankDecision:
    """One allocation, with all the numbers needed to explain it.

    scores: importance of each matrix, `(n,)`. chosen: indices of the matrices whose rank changed, best first.
    threshold: the score that had to be reached. allowed: how many units could be granted (growing: matrices;
    pruning: triplets kept). unit_scores, unit_matrix: when the decision was taken on parts of matrices (AdaLoRA's
    triplets), the score of each part and the index of its matrix, both `(u,)`; empty otherwise.
    """

    rule: str
    scores: NDArray[np.float32]
    threshold: float
    allowed: int
    chosen: tuple[int, ...]
    unit_scores: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    unit_matrix: NDArray[np.uint16] = field(default_factory=lambda: np.zeros(0, np.uint16))


class MethodRun(ABC):
    """Drives the adapter of one PEFT model through training: ours (`Session`) or anybody's (`RankGrowth`).

    Whoever trains calls `bind_optimizer` once, then at optimizer step `t` (from 0): `regulariser()` before backward,
    `before_step(t)` with gradients alive and clipped, the optimizer, `after_step(t)` with gradients still alive, then
    clears the gradients. `matrices[i].name` is the path of a layer in the base model.
    """

    gradient_scale: float = 1.0
    """What the loss was multiplied by before the backward pass, other than 1 in mixed precision with float16."""

    core_kind: str = "none"
    """`triangular` (L + U), `diagonal` (E) or `none`: what stands between A and B."""

    def __init__(
        self, model: PeftModel, matrices: list[Matrix], config: AllocationConfig, adapter: str = "default"
    ) -> None:
        self.model = model
        self.matrices = matrices
        self.config = config
        self.adapter = adapter

    @classmethod
    @abstractmethod
    def adapt(
        cls, model: nn.Module, matrices: list[Matrix], config: AllocationConfig, modules_to_save: list[str]
    ) -> PeftModel:
        """Wrap a task's model with this method's adapter on `matrices`. Draws nothing from the global random state."""

    @classmethod
    @abstractmethod
    def values_of(cls, config: PeftConfig) -> dict[str, Any]:
        """What PEFT's configuration says of an `AllocationConfig`, by field. Raises ValueError naming a field of
        PEFT's where the method cannot run with it."""

    @abstractmethod
    def ranks(self) -> NDArray[np.uint16]:
        """Current rank of each matrix, `(n,)`."""

    @abstractmethod
    def parameter_count(self) -> int:
        """Trainable adapter entries in use now (heads outside the adapter not counted)."""

    def bind_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """Called once the optimizer exists, for methods that enlarge parameters."""
        self.optimizer = optimizer

    def scores(self) -> NDArray[np.float32] | None:
        """Importance of each matrix now, `(n,)`, or None for a method without scores."""
        return None

    def regulariser(self) -> torch.Tensor | None:
        """A term added to the training loss, never to the reported one."""
        return None

    def before_step(self, step: int) -> RankDecision | None:
        """Gradients are there and clipped, the optimizer has not stepped. Returns the decision if one was taken."""
        return None

    def after_step(self, step: int) -> RankDecision | None:
        """The optimizer has stepped, gradients are still there. Returns the decision if one was taken."""
        return None

    @abstractmethod
    def geometry(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Per matrix, concatenated in order: the singular values of dW (`rank` values each, largest first), and the
        core between A and B (`rank * rank` values row by row if triangular, `rank` if diagonal, none otherwise)."""

    def recorded_ranks(self) -> NDArray[np.uint16]:
        """How many singular values `geometry()` gives for each matrix, `(n,)`."""
        return self.ranks()

    def shortfalls(self) -> list[tuple[str, str]]:
        """Where the adapter came out other than its settings say: what is so, and what to change."""
        return []

    def shared(self) -> list[list[int]]:
        """Groups of matrices, by index, that share factors with one another; none by itself."""
        return []

    decides_before_step: bool = False
    """Whether decisions are taken between backward and the optimizer's step."""

    @abstractmethod
    def event_is_due(self, step: int) -> bool:
        """Whether a decision is taken at optimizer step `step`."""

    def follow(self, step: int) -> RankDecision | None:
        """For a loop that takes this method's decisions by itself: the one it has taken since this was last asked.
        Called after optimizer step `step`, and again before the next. Changes nothing of the model. Raises
        NotImplementedError for a method whose decisions only this package takes."""
        raise NotImplementedError

    def close(self) -> None:  # noqa: B027
        """Training has ended: leave the model as it is to be saved."""

    def merged(self) -> nn.Module:
        """The base model with dW in its weights, the other modules that were trained in their places. The adapted
        model is of no use afterwards. Raises NotImplementedError where PEFT cannot merge."""
        whole: Any = self.model
        merged: nn.Module = whole.merge_and_unload(safe_merge=True)
        return merged

    def base_code(self, base: str, folder: str) -> tuple[str, list[str]]:
        """Python that makes the model which the adapter in `folder` was trained over, from `base`, Python for the model
        as it came; and the import lines that it needs."""
        return base, []

    def save_beside(self, folder: Path, inside: str) -> None:  # noqa: B027
        """Write into `folder`, next to the adapter as PEFT writes it, what that does not hold. inside: the start of the
        matrices' names that the model which is loaded there does not have."""

    def loading_code(self, loaded: str, folder: str) -> tuple[str, list[str], str]:
        """Python that makes the trained model of `loaded`, Python for what PEFT loads from the adapter in `folder`; the
        import lines that it needs; and a paragraph for whoever reads it, empty where PEFT's is right as it is."""
        return loaded, [], ""

    def release_optimizer(self) -> None:  # noqa: B027
        """Take off what `bind_optimizer` put on the optimizer."""

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """Everything beside parameters and optimizer that a resume needs: tensors, and JSON values."""
        return {}, {}

    def restore_shapes(self, extra: dict[str, Any]) -> None:  # noqa: B027
        """Bring parameters to the shapes they had when `extra` was saved. Called before weights are loaded."""

    def load_state(self, tensors: dict[str, torch.Tensor], extra: dict[str, Any]) -> None:  # noqa: B027
        """Inverse of `state`. Called after weights and optimizer state are loaded."""
