"""The adapter of a training that is not ours, seen from outside: hooks on model and optimizer, and events from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from triadapt.config import AllocationConfig, RunConfig, parse_config
from triadapt.events import Event, Geometry, RankEvent, Started, Warned
from triadapt.growth.optimizer_state import optimizer_bytes, step_is_skipped
from triadapt.growth.preview import preview
from triadapt.methods.adapted_layers import adapted_matrices
from triadapt.methods.interface import MethodRun, RankDecision
from triadapt.runs.library import make_runs, runs_folder
from triadapt.runs.store import RunStore
from triadapt.tasks.registry import ELSEWHERE
from triadapt.training.devices import description, library_versions
from triadapt.training.rank_growth import RankGrowth
from triadapt.training.rank_growth_checks import (
    MARK,
    adapter_parameters,
    adaptive_adapter,
    configuration,
    unwrapped,
)  # fmt: skip


class SawLoss(Protocol):
    """share: whether the losses of a step's parts add up to that of the step; else their mean is."""

    def __call__(self, loss: torch.Tensor, *, share: bool) -> None: ...


class WatchedAdapter:
    """Reads an adapter while somebody else trains it. `step` counts the optimizer steps done.

    on_loss: called with every loss the model returns in training. on_step: after each optimizer step, with its number
    and learning rate. on_decision: after a decision that comes between two steps (PEFT's `update_and_allocate`).
    Raises ValueError for a model without an adapter whose rank changes; at the first step, where nobody changes it.
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
    ) -> None:
        self.model = unwrapped(model)
        self.spec, self.adapter = adaptive_adapter(self.model)
        self.optimizer = getattr(optimizer, "optimizer", optimizer)  # accelerate wraps it
        self.matrices = adapted_matrices(self.model, self.adapter)
        self.step = 0
        self.growth: RankGrowth | None = None
        self.run_config: RunConfig | None = None
        self._on_loss, self._on_step, self._on_decision = on_loss, on_step, on_decision
        self._bound = self._skipped = self._in_hook = self._released = False
        self._seen = 0
        self._ends: list[Callable[[], object]] = [
            self.model.register_forward_hook(self._forward, with_kwargs=True).remove,
            self.optimizer.register_step_pre_hook(self._before).remove,
        ]

    def release(self) -> None:
        """Take every hook off; one that is at work keeps its place among the optimizer's, and does nothing."""
        self._released = True
        if not self._in_hook:
            for end in self._ends:
                end()

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
        # After that of RankGrowth, so that the decisions of a step are known when it is recorded.
        self._ends.append(self.optimizer.register_step_post_hook(self._after).remove)

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
        self._ends.append(self.run.watch(self._on_decision))

    # Hooks

    def _forward(self, model: Any, _: Any, given: dict[str, Any], output: Any) -> None:
        if model.training and not self._released and torch.is_grad_enabled():
            loss = output.get("loss") if hasattr(output, "get") else getattr(output, "loss", None)
            if isinstance(loss, torch.Tensor) and loss.numel() == 1:
                # The Trainer has each part divided by the rows of the whole batch.
                self._on_loss(loss, share="num_items_in_batch" in given)

    def _before(self, *_: Any) -> None:
        self._skipped = step_is_skipped(self.optimizer)
        if not (self._bound or self._released):
            try:
                self.bind()
            except Exception as error:  # the optimizer would pass it on to the training
                self._on_failure(error)

    def _on_failure(self, error: Exception) -> None:
        def fail() -> None:
            raise error

        self.bind = fail  # type: ignore[method-assign]
        self._ends.append(self.optimizer.register_step_post_hook(self._after).remove)

    def _after(self, *_: Any) -> None:
        if self._skipped or self._released:
            return
        self.step += 1
        self._in_hook = True
        self._on_step(self.step - 1, self.learning_rate)
        self._in_hook = False

    # What there is to say

    @property
    def learning_rate(self) -> float:
        """Of the first parameter group."""
        return float(self.optimizer.param_groups[0]["lr"])

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
        return RankEvent(
            step=max(0, self.step - 1),
            rule=decision.rule,
            threshold=decision.threshold,
            allowed=decision.allowed,
            chosen=list(decision.chosen),
            total_rank=int(self._ranks.sum()),
            trainable_parameters=self._parameters(),
            optimizer_bytes=optimizer_bytes(self.optimizer),
            scores=decision.scores,
            ranks=self._ranks,
            before=before,
            unit_scores=decision.unit_scores,
            unit_matrix=decision.unit_matrix,
        )

    def new_run(self, runs: str | Path | None, name: str, **values: Any) -> Path:
        """Make the run's folder. values: fields of `RunConfig` that are known of the training."""
        self.bind()
        place = runs_folder(runs)
        about = {"model": self._model_name(), "script": name[:300]}
        group = self.optimizer.param_groups[0]
        rate = min(10.0, max(1e-12, float(group.get("initial_lr", group["lr"]))))  # a scheduler's warm-up begins at 0
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
        layers = dict(self.model.base_model.model.named_modules())
        own = {id(p) for matrix in self.matrices for _, p in adapter_parameters(layers[matrix.name], self.adapter)}
        beside = sum(p.numel() for p in self.model.parameters() if p.requires_grad and id(p) not in own)
        return int(self.run.parameter_count() + beside)

    def _model_name(self) -> str:
        config = getattr(self.model.base_model.model, "config", None)
        return str(getattr(config, "_name_or_path", "") or type(self.model.base_model.model).__name__)[:300]
