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
from triadapt.methods.training_loss import use_plain_loss
from triadapt.training.parallel_checks import check_parallel
from triadapt.training.rank_growth_checks import (
    COMPARED,
    adapter_parameters,
    adaptive_adapter,
    check_free,
    check_parameters,
    check_schedule,
    check_state,
    configuration,
    layers_with_gradient,
    mark,
    refuse_without_gradient,
    unwrapped,
    warn_of_a_fresh_start,
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
    The orthogonality term of AdaLoRA and IncreLoRA is not in the loss: its gradient is added once a step, after
    clipping, whoever computes the loss and in however many parts. The state travels in `optimizer.state_dict()`; to
    resume, load the adapter with `is_trainable=True`, load the optimizer's state, and make a `RankGrowth` with the same
    arguments.

    Args:
        model: a PEFT model with one active adapter of TriAdaptLoRA, IncreLoRA or AdaLoRA, compiled or not.
        optimizer: holds every parameter of the adapter; AdamW, SGD, RMSprop, Adagrad, Adafactor and their like, bare or
            prepared by accelerate.
        total_step: optimizer steps of the whole training.
        warmup: no growth up to and including this step. AdaLoRA has it, the interval and the rest in `AdaLoraConfig`.
        interval: steps between two events.
        growth: `linear`, `non-linear` or `fixed`: how many matrices may grow at an event of TriAdaptLoRA.
        top_h: matrices that may grow at an event of IncreLoRA, or with `fixed`.
        lr_schedule: `linear` or `constant`: where the learning rate of a new block of IncreLoRA goes after its warm-up.
        seed: seed of the values of new blocks.
        settings: fields of the method's own section, such as `{"behaviour": "reference"}` or `{"beta1": 0.9}`.
        scaler: the gradient scaler of float16 training. IncreLoRA needs it to see gradients in their true size;
            accelerate's optimizer brings its own.
        on_allocation: called with an `Allocation` after each decision.

    Raises ValueError before training, one line for each cause, naming the field and the fix: a schedule under which no
    event fires, a model without such an adapter, an optimizer that does not hold it, a parallel wrapper that fixes
    shapes. At the first event it raises for a matrix that never got a gradient and for scores that are not numbers.
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
        inner = unwrapped(model)
        spec, adapter = adaptive_adapter(inner)
        check_parallel(model, grows=spec.allocation == "grows")
        # accelerate wraps the optimizer and holds the scaler.
        self.optimizer = bare = getattr(optimizer, "optimizer", optimizer)
        self.scaler = scaler if scaler is not None else getattr(optimizer, "scaler", None)
        values = {
            "method": spec.name, "steps": total_step, "warmup": warmup, "interval": interval, "growth": growth,
            "top_h": top_h, "lr_schedule": lr_schedule, "seed": seed,
        }  # fmt: skip
        run_class = spec.run_class()
        self.config = configuration(spec, values, run_class.values_of(inner.peft_config[adapter]), settings or {})
        self.matrices = adapted_matrices(inner, adapter)
        modules = dict(inner.base_model.model.named_modules())
        self._layers = {matrix.name: modules[matrix.name] for matrix in self.matrices}
        check_parameters(self._layers, bare, adapter)
        check_free(bare)
        state = bare.param_groups[0].pop(KEY, None)
        self.run: MethodRun = run_class(inner, self.matrices, self.config, adapter)
        if state is None:
            check_schedule(self.config, len(self.matrices), int(self.run.ranks().sum()))
            warn_of_a_fresh_start(inner.peft_config[adapter], self.run.ranks())
        else:
            check_state(state, self.config, self.run.ranks())
        self.step = 0
        self.allocations: list[Allocation] = []
        self._on_allocation = on_allocation
        self._without_gradient = set(self._layers)
        self._skipped = False
        self._early: RankDecision | None = None
        # The order counts: decisions before the step see it before the correction of new entries does, others after.
        self._handles = [bare.register_step_pre_hook(self._before)]
        self.run.bind_optimizer(bare)
        self._handles += [
            bare.register_step_post_hook(self._after),
            bare.register_state_dict_post_hook(self._put_state),
            bare.register_load_state_dict_post_hook(self._take_state),
        ]
        mark(bare, self)
        if spec.allocation == "prunes":
            use_plain_loss(inner)
        if state is not None:
            self._resume(state)

    @property
    def ranks(self) -> dict[str, int]:
        """Current rank of each adapted layer, by its path in the base model."""
        return {matrix.name: int(rank) for matrix, rank in zip(self.matrices, self.run.ranks(), strict=True)}

    def close(self, *, cut: bool = True) -> None:
        """Training has ended: take every hook off. With `cut`, what is saved from now on is cut to the ranks in use:
        AdaLoRA's masked triplets and IncreLoRA's reserve are left out."""
        if cut:
            self.run.close()
        for handle in self._handles:
            handle.remove()
        self.run.release_optimizer()
        mark(self.optimizer, None)

    # Around the optimizer's step

    def _before(self, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        itself, closure = args[0], args[1] if len(args) > 1 else kwargs.get("closure")
        if closure is None:
            self._gradients_ready()
            return None
        if self.run.decides_before_step:
            raise ValueError(
                "closure: behaviour = 'reference' grows between backward and step; call step() without one"
            )
        return (itself, self._watched(closure)), {}

    def _watched(self, closure: Callable[[], Any]) -> Callable[[], Any]:
        def watched() -> Any:
            loss = closure()
            self._gradients_ready()
            return loss

        return watched

    def _gradients_ready(self) -> None:
        self._early, self._skipped = None, step_is_skipped(self.optimizer)
        if self._skipped:
            return
        if self._without_gradient:
            self._look_for_gradients()
        if self.scaler is not None and self.scaler.is_enabled():
            self.run.gradient_scale = float(self.scaler.get_scale())
        self._add_regulariser()
        self._early = self.run.before_step(self.step)

    def _look_for_gradients(self) -> None:
        self._without_gradient -= layers_with_gradient(self._layers, self.run.adapter)
        if self._without_gradient and self.run.event_is_due(self.step):
            refuse_without_gradient(next(name for name in self._layers if name in self._without_gradient))

    def _add_regulariser(self) -> None:
        with torch.enable_grad():
            term = self.run.regulariser()
        if term is None:
            return
        scale = getattr(self.optimizer, "grad_scale", None)  # a fused optimizer divides by it within the step
        parameters = [p for layer in self._layers.values() for _, p in adapter_parameters(layer, self.run.adapter)]
        gradients = torch.autograd.grad(term if scale is None else term * scale, parameters, allow_unused=True)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if gradient is not None:
                parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)

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

    # The state that a resume needs lies in the saved state of the optimizer's first group, because whoever saves a
    # training saves that.

    def _put_state(self, _: Any, state_dict: dict[str, Any]) -> None:
        tensors, extra = self.run.state()
        state_dict["param_groups"][0][KEY] = {
            "config": self.config.model_dump(include=COMPARED), "step": self.step, "tensors": tensors, "extra": extra,
            "ranks": [int(rank) for rank in self.run.ranks()],
        }  # fmt: skip

    def _take_state(self, optimizer: torch.optim.Optimizer) -> None:
        state = optimizer.param_groups[0].pop(KEY, None)
        if state is not None:
            check_state(state, self.config, self.run.ranks())
            self._resume(state)

    def _resume(self, state: dict[str, Any]) -> None:
        # Whoever loaded the optimizer's state may have put its tensors on another device.
        self.run.load_state({name: value.cpu() for name, value in state["tensors"].items()}, state["extra"])
        self.step = int(state["step"])
