"""Rank allocation beside anybody's training loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from peft import PeftModel
from torch.nn.parallel import DistributedDataParallel

from triadapt.growth.optimizer_state import step_is_skipped
from triadapt.methods.adapted_layers import adapted_matrices
from triadapt.methods.interface import MethodRun, RankDecision
from triadapt.methods.training_loss import add_to_training_loss
from triadapt.training.parallel_checks import check_parallel
from triadapt.training.rank_growth_checks import (
    adaptive_adapter,
    check_gradients,
    check_parameters,
    check_schedule,
    configuration,
)

KEY = "rank_growth"


@dataclass(frozen=True)
class Allocation:
    """One decision about rank. step: optimizer step, from 0. ranks: after it, `(n,)`."""

    step: int
    decision: RankDecision
    ranks: NDArray[np.uint16]


class RankGrowth:
    """Grows (TriAdaptLoRA, IncreLoRA) or prunes (PEFT's AdaLoRA) the ranks of a PEFT model while any loop trains it.

    One line after the optimizer is made; the loop itself stays as it is:

        model = get_peft_model(base, TriAdaptLoraConfig(target_modules=["query", "value"], reference_rank=8))
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        RankGrowth(model, optimizer, total_step=1000, warmup=100, interval=20)

    It hooks into `optimizer.step()`, so steps that a gradient scaler skips count for nothing, and accumulated gradients
    are seen once. Parameters keep their identity: schedulers made before, clipping and the optimizer's own state go on.
    Its state travels in `optimizer.state_dict()`; to resume, load the adapter with `is_trainable=True`, load the
    optimizer's state, and make a `RankGrowth` with the same arguments. The terms that AdaLoRA and IncreLoRA add to the
    training loss are added to the `loss` the model returns, in training only; a loop that computes its own loss adds
    `regulariser()`.

    Args:
        model: a PEFT model with one active adapter of TriAdaptLoRA, IncreLoRA or AdaLoRA.
        optimizer: holds every parameter of the adapter; AdamW, SGD, RMSprop, Adagrad, Adafactor and their like.
        total_step: optimizer steps of the whole training.
        warmup: no growth up to and including this step. AdaLoRA has it, the interval and the rest in `AdaLoraConfig`.
        interval: steps between two events.
        growth: `linear`, `non-linear` or `fixed`: how many matrices may grow at an event of TriAdaptLoRA.
        top_h: matrices that may grow at an event of IncreLoRA, or with `fixed`.
        lr_schedule: `linear` or `constant`: where the learning rate of a new block of IncreLoRA goes after its warm-up.
        seed: seed of the values of new blocks.
        settings: fields of the method's own section, such as `{"behaviour": "reference"}` or `{"beta1": 0.9}`.
        scaler: the gradient scaler of float16 training. IncreLoRA needs it to see gradients in their true size.
        on_allocation: called with an `Allocation` after each decision.

    Raises ValueError before training, one line for each cause, naming the field and the fix: a schedule under which no
    event fires, a model without such an adapter, an optimizer that does not hold it, a parallel wrapper that fixes
    shapes. At the first step it raises for a matrix that gets no gradient, at an event for scores that are not numbers.
    """

    def __init__(
        self,
        model: PeftModel | DistributedDataParallel,
        optimizer: torch.optim.Optimizer,
        *,
        total_step: int,
        warmup: int | None = None,
        interval: int | None = None,
        growth: str = "linear",
        top_h: int = 2,
        lr_schedule: str = "linear",
        seed: int = 0,
        settings: Mapping[str, Any] | None = None,
        scaler: Any = None,
        on_allocation: Callable[[Allocation], None] | None = None,
    ) -> None:
        inner = model.module if isinstance(model, DistributedDataParallel) else model
        spec, adapter = adaptive_adapter(inner)
        check_parallel(model, grows=spec.allocation == "grows")
        values = {
            "method": spec.name, "steps": total_step, "warmup": warmup, "interval": interval, "growth": growth,
            "top_h": top_h, "lr_schedule": lr_schedule, "seed": seed,
        }  # fmt: skip
        run_class = spec.run_class()
        self.config = configuration(spec, values, run_class.values_of(inner.peft_config[adapter]), settings or {})
        matrices = adapted_matrices(inner, adapter)
        self.run: MethodRun = run_class(inner, matrices, self.config, adapter)
        self.matrices = matrices
        self.optimizer, self.scaler = optimizer, scaler
        self.step = 0
        self.allocations: list[Allocation] = []
        self._on_allocation = on_allocation
        self._first = True
        self._skipped = False
        modules = dict(inner.base_model.model.named_modules())
        self._layers = {matrix.name: modules[matrix.name] for matrix in matrices}
        self._grows = spec.allocation == "grows"
        check_parameters(self._layers, optimizer, adapter)
        if KEY not in optimizer.param_groups[0]:
            check_schedule(self.config, len(matrices), int(self.run.ranks().sum()))
        # The order counts: decisions before the step see it before the correction of new entries does, others after.
        self._handles = [optimizer.register_step_pre_hook(self._before)]
        self.run.bind_optimizer(optimizer)
        self._handles += [
            optimizer.register_step_post_hook(self._after),
            optimizer.register_state_dict_pre_hook(self._put_state),
            optimizer.register_load_state_dict_post_hook(self._take_state),
        ]
        if run_class.regulariser is not MethodRun.regulariser:
            add_to_training_loss(inner, self.run.regulariser)
        self._take_state(optimizer)

    @property
    def ranks(self) -> dict[str, int]:
        """Current rank of each adapted layer, by its path in the base model."""
        return {matrix.name: int(rank) for matrix, rank in zip(self.matrices, self.run.ranks(), strict=True)}

    def regulariser(self) -> torch.Tensor | None:
        """The term of the training loss, a scalar, or None; for loops that compute the loss themselves."""
        return self.run.regulariser()

    def close(self) -> None:
        """Training has ended: take the hooks off. Pruned ranks are cut from what is saved from now on."""
        self.run.close()
        for handle in self._handles:
            handle.remove()
        self.optimizer.param_groups[0].pop(KEY, None)

    # Around the optimizer's step

    def _before(self, *_: Any) -> None:
        self._skipped = step_is_skipped(self.optimizer)
        if self._skipped:
            return
        if self._first:
            check_gradients(self._layers, self.run.adapter)
            self._first = False
        if self.scaler is not None and self.scaler.is_enabled():
            self.run.gradient_scale = float(self.scaler.get_scale())
        self._ranks_before = self.run.ranks()
        self._early = self.run.before_step(self.step)

    def _after(self, *_: Any) -> None:
        if self._skipped:
            return
        decision = self.run.after_step(self.step) or self._early
        if decision is not None:
            allocation = Allocation(self.step, decision, self.run.ranks())
            self.allocations.append(allocation)
            if self._on_allocation is not None:
                self._on_allocation(allocation)
        self.step += 1

    # The state that a resume needs lies in the optimizer's first group, because whoever saves a training saves that.

    def _put_state(self, optimizer: torch.optim.Optimizer) -> None:
        tensors, extra = self.run.state()
        ranks = [int(rank) for rank in self.run.ranks()]
        optimizer.param_groups[0][KEY] = {
            "method": self.config.method, "step": self.step, "ranks": ranks, "tensors": tensors, "extra": extra,
        }  # fmt: skip

    def _take_state(self, optimizer: torch.optim.Optimizer) -> None:
        state = optimizer.param_groups[0].get(KEY)
        if state is None:
            return
        ranks = [int(rank) for rank in self.run.ranks()]
        if state["method"] != self.config.method or (self._grows and state["ranks"] != ranks):
            raise ValueError(
                f"optimizer: its state is of a {state['method']} adapter of total rank {sum(state['ranks'])}, the "
                f"model has a {self.config.method} adapter of total rank {sum(ranks)}; load both from one "
                f"checkpoint, the adapter with is_trainable=True"
            )
        self.run.load_state(state["tensors"], state["extra"])
        self.step, self._first = int(state["step"]), False
