"""The adapter of a training that is not ours, seen from outside: hooks on model and optimizer, and events from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from triadapt.config import AllocationConfig, RunConfig, parse_config
from triadapt.events import Event, Geometry, RankEvent, Started, Warned
from triadapt.growth.optimizer_state import step_is_skipped
from triadapt.growth.preview import preview
from triadapt.methods.adapted_layers import adapted_matrices
from triadapt.methods.interface import MethodRun, RankDecision
from triadapt.runs.library import make_runs, runs_folder
from triadapt.runs.store import RunStore
from triadapt.tasks.registry import ELSEWHERE
from triadapt.training.devices import description, library_versions
from triadapt.training.rank_events import rank_event
from triadapt.training.rank_growth import RankGrowth
from triadapt.training.rank_growth_checks import (
    MARK,
    adapter_parameters,
    adaptive_adapter,
    configuration,
    unwrapped,
)  # fmt: skip


class SawLoss(Protocol):
    """share: whether the losses of a step's parts add up to that of the step; else their mean is. first: whether no
    part of the step has been seen before, as far as its gradients tell."""

    def __call__(self, loss: torch.Tensor, *, share: bool, first: bool) -> None: ...


class HookOfOne:
    """A hook of one model. A copy of the model, or one that is saved and loaded, has one that does nothing."""

    def __init__(self, function: Callable[..., None] | None = None) -> None:
        self.function = function

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        if self.function is not None:
            self.function(*args, **kwargs)

    def __deepcopy__(self, _: dict[int, Any]) -> HookOfOne:
        return HookOfOne()

    def __reduce__(self) -> tuple[type[HookOfOne], tuple[()]]:
        return HookOfOne, ()


class WatchedAdapter:
    """Reads an adapter while somebody else trains it. `step` counts the optimizer steps done.

    on_loss: called with every loss the model returns in training. before_step: as a step of the optimizer begins that
    is not skipped. on_step: after each, with its number and learning rate. on_decision: after a decision of the loop's
    own (PEFT's `update_and_allocate`). on_failure: with whatever goes wrong in a hook, which reaches nobody else.
    first_step: optimizer steps done before, of a training that is resumed without `RankGrowth`.

    Raises ValueError for a model without an adapter whose rank changes; `on_failure` hears at the first step that
    nobody changes it.
    """

    config: AllocationConfig
    run: MethodRun

    def __init__(
        self,
        model: Any,
        optimizer: Any,
        *,
        on_loss: SawLoss,
        on_step: Callable[[int, float], None],
        on_decision: Callable[[RankDecision], None],
        on_failure: Callable[[Exception], None],
        before_step: Callable[[], None],
        first_step: int = 0,
    ) -> None:
        self.model = unwrapped(model)
        self.spec, self.adapter = adaptive_adapter(self.model)
        self.optimizer = getattr(optimizer, "optimizer", optimizer)  # accelerate wraps it
        self.matrices = adapted_matrices(self.model, self.adapter)
        self.step = first_step
        self.growth: RankGrowth | None = None
        self.run_config: RunConfig | None = None
        self._on_loss, self._on_step, self._on_decision, self._on_failure = on_loss, on_step, on_decision, on_failure
        self._bound = self._skipped = self._in_hook = self._over = False
        self._before_step = before_step
        self._seen = 0
        layers = dict(self.model.base_model.model.named_modules())
        parts = [part for m in self.matrices for part in adapter_parameters(layers[m.name], self.adapter)]
        self._own = {id(parameter) for _, parameter in parts}
        self._any_part = parts[0][1]
        hooks = [self.optimizer.register_step_pre_hook(self._guarded(self._before))]
        # After that of RankGrowth, which is made first or at the latest before the first step.
        self._post = self._guarded(self._after)
        hooks.append(self.model.register_forward_hook(HookOfOne(self._guarded(self._forward)), with_kwargs=True))
        self._handles = hooks

    def release(self) -> None:
        """Take every hook off. Within one of the optimizer's hooks these stay and do nothing, for the list of them must
        not change while it is gone through. Call again later."""
        self._over = True
        for handle in self._handles[1:2] if self._in_hook else self._handles:
            handle.remove()

    def _guarded(self, hook: Callable[..., None]) -> Callable[..., None]:
        def guarded(*args: Any, **kwargs: Any) -> None:
            if self._over:
                return
            inside, self._in_hook = self._in_hook, True
            try:
                hook(*args, **kwargs)
            except Exception as error:
                self._on_failure(error)
            finally:
                self._in_hook = inside

        return guarded

    def bind(self) -> None:
        """Find out who decides about rank. Called at the first step, or before it when something is to be recorded."""
        if self._bound:
            return
        self._bound = True
        growth = getattr(self.optimizer, MARK, None)
        if isinstance(growth, RankGrowth):
            self.growth, self.run, self.config, self.step = growth, growth.run, growth.config, growth.step
            self._seen = len(growth.allocations)
        else:
            self._bind_to_the_loop()
        self._ranks = self.run.ranks()

    def _bind_to_the_loop(self) -> None:
        run_class = self.spec.run_class()
        if self.spec.allocation == "grows":
            raise ValueError(
                f"nothing grows {self.spec.label} here: add RankGrowthCallback() to the Trainer, or make a "
                f"RankGrowth(model, optimizer, ...), before the recorder"
            )
        peft_config = self.model.peft_config[self.adapter]
        given = {"method": self.spec.name, "steps": int(getattr(peft_config, "total_step", 0) or 0)}
        values = {"warmup": None, "interval": None, "seed": 0, **given}
        self.config = configuration(self.spec, values, run_class.values_of(peft_config), {})
        self.run = run_class(self.model, self.matrices, self.config, self.adapter)

    # Hooks

    def _forward(self, model: Any, _: Any, given: dict[str, Any], output: Any) -> None:
        if not (model is self.model and model.training and torch.is_grad_enabled()):
            return
        self.look()
        loss = output.get("loss") if isinstance(output, Mapping) else getattr(output, "loss", None)
        if isinstance(loss, torch.Tensor) and loss.numel() == 1:
            # The Trainer has each part divided by the rows of the whole batch.
            self._on_loss(loss, share="num_items_in_batch" in given, first=self._any_part.grad is None)

    def look(self) -> None:
        """Report the decision that a loop of its own has taken since the last step, if any."""
        if self._bound and self.growth is None:
            decision = self.run.follow(self.step - 1)
            if decision is not None:
                self._on_decision(decision)

    def _before(self, *_: Any) -> None:
        self._skipped = step_is_skipped(self.optimizer)
        if not self._skipped:
            self._before_step()
        self.bind()
        if len(self._handles) == 2:
            self._handles.append(self.optimizer.register_step_post_hook(self._post))

    def _after(self, *_: Any) -> None:
        if self._skipped:
            return
        self.step += 1
        if self.growth is None:
            self.look()
        self._on_step(self.step - 1, self.learning_rate)

    # What there is to say

    @property
    def learning_rate(self) -> float:
        """Of the first parameter group; 0 where the optimizer finds one for itself."""
        return float(self.optimizer.param_groups[0].get("lr") or 0.0)

    def decision(self) -> RankDecision | None:
        """The decision of the last step, if one was taken in it."""
        allocations = self.growth.allocations if self.growth is not None else []
        if len(allocations) <= self._seen:
            return None
        self._seen = len(allocations)
        return allocations[-1].decision

    def scores(self) -> np.ndarray[Any, Any] | None:
        """Importance of each matrix now, `(n,)`; None where there is none."""
        return self.run.scores()

    def geometry(self, steps_done: int) -> Geometry:
        """Singular values of dW and what stands between the factors."""
        singular, core = self.run.geometry()
        return Geometry(steps_done, self.run.ranks(), singular, core)

    def rank_event(self, decision: RankDecision) -> RankEvent:
        """The event of a decision that was taken after the last step."""
        before, self._ranks = self._ranks, self.run.ranks()
        return rank_event(
            max(0, self.step - 1), decision, before=before, ranks=self._ranks, parameters=self._parameters(),
            optimizer=self.optimizer,
        )  # fmt: skip

    def new_run(self, runs: str | Path | None, name: str, **values: Any) -> Path:
        """Make the run's folder. values: fields of `RunConfig` that are known of the training."""
        self.bind()
        place = runs_folder(runs)
        about = {"model": self._model_name(), "script": name[:300]}
        group = self.optimizer.param_groups[0]
        # A scheduler's warm-up begins at 0.
        rate = min(10.0, max(1e-12, float(group.get("initial_lr") or self.learning_rate)))
        batch = min(4096, max(1, values.pop("batch_size")))
        known = {"task": ELSEWHERE.name, "learning_rate": rate, "batch_size": batch, ELSEWHERE.name: about}
        config = self.run_config = parse_config({**self.config.model_dump(), **known, **values})

        def make(folder: Path, run_id: str, race: str, position: int) -> None:
            title = f"{self.spec.label}, {name}"
            RunStore.create(folder, config, run_id=run_id, race=race, name=title, position=position).close()

        return make_runs(place, [self.spec.name], make).folders[0]

    def first_events(self, metric: str, higher_is_better: bool) -> Iterable[Event]:
        """What a run begins with."""
        config, total = self.run_config, int(self._ranks.sum())
        assert config is not None
        plan = preview(config, len(self.matrices), total)
        yield Started(
            step=0,
            config=config.as_dict(),
            matrices=self.matrices,
            method=self.spec.name,
            task=config.task,
            allocation=self.spec.allocation,
            core_kind=self.run.core_kind,
            metric=metric,
            higher_is_better=higher_is_better,
            total_step=config.steps,
            start_total_rank=total,
            target_total_rank=config.reference_rank * len(self.matrices),
            trainable_parameters=self._parameters(),
            planned=[row["step"] for row in plan.rows],
            device=description(str(next(self.model.parameters()).device)),
            data={key: value for key, value in config.task_settings.model_dump().items() if value},
            versions=library_versions(),
        )
        for line in plan.warnings:
            yield Warned(0, "schedule", line, "")

    def _parameters(self) -> int:
        beside = sum(p.numel() for p in self.model.parameters() if p.requires_grad and id(p) not in self._own)
        return int(self.run.parameter_count() + beside)

    def _model_name(self) -> str:
        config = getattr(self.model.base_model.model, "config", None)
        return str(getattr(config, "_name_or_path", "") or type(self.model.base_model.model).__name__)[:300]
