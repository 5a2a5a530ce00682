"""One run under way: everything between a configuration and its events, one optimizer step at a time."""

from __future__ import annotations

import math
import statistics
import time
from collections import deque
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch

from triadapt.config import RunConfig
from triadapt.events import (
    Baseline,
    Checkpointed,
    Evaluation,
    Event,
    Finished,
    Geometry,
    RankEvent,
    Scores,
    Started,
    Step,
    Stopped,
    Warned,
    measured_ranks,
    saved_ranks,
)  # fmt: skip
from triadapt.growth.optimizer_state import optimizer_bytes
from triadapt.growth.preview import TO_ENFORCE_IT, TO_REACH_IT, preview, target_total_rank
from triadapt.methods.interface import MethodRun, RankDecision
from triadapt.methods.registry import METHODS
from triadapt.tasks.interface import Task
from triadapt.tasks.registry import KNOWN_TASKS
from triadapt.training import checkpoint
from triadapt.training.devices import choose_device, description, library_versions
from triadapt.training.frozen_bytes import frozen_bytes
from triadapt.training.rank_events import rank_event

MOST_CHECKPOINTS = 200
DEAR_TO_MEASURE = 2e10
"""Sum over matrices of rows times columns times the smaller of them, from which decomposing all takes seconds."""
TIMED_STEPS = 200
"""Of the newest steps, how many the time of a step is told from."""


class TrainingError(RuntimeError):
    """Training cannot go on; the message says why and what to change."""


def build_task(config: RunConfig, device: str) -> Task:
    """The task of a configuration. Runs of a race share one."""
    return KNOWN_TASKS[config.task].build_task(
        settings=config.task_settings,
        seed=config.seed,
        batch_size=config.batch_size,
        steps=config.steps,
        device=device,
    )


class Session:
    """Trains one run, step by step, and says in events what happened.

    `open()` first, then `advance()` until `done`. With a `folder`, checkpoints go to `folder/checkpoints`. Equal
    configurations give equal events on a CPU: random numbers of a step depend on the seed and the step alone, which
    also lets a resumed run go on exactly and a race use the same ones for every method.
    """

    def __init__(self, config: RunConfig, *, folder: Path | None = None, task: Task | None = None) -> None:
        self.config = config
        self.device = choose_device(config.device)
        self.folder = folder
        self.task = task if task is not None else build_task(config, self.device)
        self.step = 0
        self.done = False
        self._last_checkpoint = -1
        self._laps: deque[float] = deque(maxlen=TIMED_STEPS)
        self.metrics: dict[str, float] = {}
        self._baselines_known = True
        self.matrices = self.task.matrices()
        self._check_against_matrices()
        run_class = METHODS[config.method].run_class()
        adapted = run_class.adapt(self.task.build_model(), self.matrices, config, self.task.modules_to_save)
        self.method: MethodRun = run_class(adapted, self.matrices, config)
        self.model = adapted.to(self.device).train()
        self.trainable = {name: p for name, p in self.model.named_parameters() if p.requires_grad}
        outside = [p for name, p in self.trainable.items() if ".modules_to_save." in name]
        self._head_parameters: int = sum(p.numel() for p in outside)
        self.lr_scale = float(getattr(config.method_settings, "lr_scale", 1.0))
        self.optimizer = torch.optim.AdamW(
            self._groups(outside), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        if config.lr_warmup:  # where a scheduler of PyTorch's leaves it, for blocks with a warm-up of their own
            for group in self.optimizer.param_groups:
                group["initial_lr"] = config.learning_rate
        self.method.bind_optimizer(self.optimizer)

    def _groups(self, outside: list[torch.nn.Parameter]) -> list[dict[str, Any]]:
        """Everything in one group, but for a method whose adapter learns at a rate of its own; heads never do."""
        if self.lr_scale == 1.0:
            return [{"params": list(self.trainable.values()), "lr_scale": 1.0}]
        heads = {id(p) for p in outside}
        inside = [p for p in self.trainable.values() if id(p) not in heads]
        groups = [{"params": inside, "lr_scale": self.lr_scale}, {"params": outside, "lr_scale": 1.0}]
        return [group for group in groups if group["params"]]

    def _check_against_matrices(self) -> None:
        smallest = min(min(matrix.shape) for matrix in self.matrices)
        if self.config.reference_rank > smallest and METHODS[self.config.method].rank == "allotted":
            raise TrainingError(
                f"reference_rank = {self.config.reference_rank}: must not be above {smallest}, the size of the "
                f"smallest adapted matrix"
            )

    # Opening and resuming

    def open(self, resume: bool = False, checkpoint_file: str | None = None) -> list[Event]:
        """Get ready to step. A fresh run returns its first events; a resumed one none, its recorded ones stand.

        With `resume`, loads `checkpoint_file` from the run's checkpoints (default: the newest). Raises ValueError when
        there is none or it cannot be read.
        """
        if resume:
            assert self.folder is not None, "a run without a folder has no checkpoints"
            place = self.folder / "checkpoints"
            path = place / checkpoint_file if checkpoint_file else checkpoint.newest(place)
            if path is None:
                raise ValueError(f"{self.folder.name}: no checkpoint to resume from")
            self._load(path)
            return []
        plan = preview(self.config, len(self.matrices))
        events: list[Event] = [self._started([row["step"] for row in plan.rows])]
        events += [Warned(0, "schedule", line, "") for line in plan.warnings]
        events += self._dear_measuring()
        events += [Warned(0, "adapter", message, advice) for message, advice in self.method.shortfalls()]
        ranks = self.method.ranks()
        if (ranks != ranks[0]).any():  # a run whose ranks start even needs no event to say so
            events.append(saved_ranks(ranks, self._parameters()))
        with self._autocast():
            known = getattr(self.task, "cached_baselines", self.task.baselines)() or {}
        self._baselines_known = bool(known)
        events += [Baseline(0, name, value) for name, value in known.items()]
        events.append(self._evaluate(0))
        return events

    def _dear_measuring(self) -> Iterable[Warned]:
        """A line where measuring the ranks of a large model takes longer than anybody would expect."""
        work = sum(out * features * min(out, features) for out, features in (one.shape for one in self.matrices))
        times = self.config.steps // self.config.geometry_every
        if METHODS[self.config.method].rank == "measured" and work > DEAR_TO_MEASURE and times > 1:
            yield Warned(
                0, "measuring", f"{METHODS[self.config.method].label} has no rank of its own: dW of "
                f"{len(self.matrices)} matrices is decomposed {times} times, several seconds each on a CPU",
                "Raise `geometry_every`.",
            )  # fmt: skip

    def _started(self, planned: list[int]) -> Started:
        spec = METHODS[self.config.method]
        held, target = int(self.method.ranks().sum()), target_total_rank(self.config, len(self.matrices))
        return Started(
            step=0,
            config=self.config.as_dict(),
            matrices=self.matrices,
            method=spec.name,
            task=self.config.task,
            allocation=spec.allocation,
            core_kind=self.method.core_kind,
            metric=self.task.metric,
            higher_is_better=self.task.higher_is_better,
            total_step=self.config.steps,
            start_total_rank=held,
            # What freezes has no more than it begins with, which may be less than was planned.
            target_total_rank=min(held, target) if spec.allocation == "freezes" else target,
            trainable_parameters=self._parameters(),
            planned=planned,
            device=description(self.device),
            data=self.task.describe(),
            versions=library_versions(),
            rank_kind=spec.rank,
            shared=self.method.shared(),
            frozen_bytes=frozen_bytes(self.model),
        )

    def _parameters(self) -> int:
        return self.method.parameter_count() + self._head_parameters

    # Stepping

    def advance(self) -> list[Event]:
        """Do one optimizer step and return its events, `Finished` among them after the last. Raises TrainingError."""
        step, config = self.step, self.config
        started = time.perf_counter()
        learning_rate = self._learning_rate(step)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate * group["lr_scale"]
        self._seed(config.seed * 1_000_003 + step)
        with self._autocast():
            loss = self.task.loss(self.model, self.task.batch(step))
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingError(
                f"learning_rate = {config.learning_rate}: the loss is {value} at step {step}, training has diverged; "
                f"lower it or lower alpha ({config.alpha:g})"
            )
        extra = self.method.regulariser()
        (loss if extra is None else loss + extra).backward()  # type: ignore[no-untyped-call]
        if config.max_grad_norm > 0:
            torch.nn.utils.clip_grad_norm_(self.trainable.values(), config.max_grad_norm)
        decision_ranks = self.method.ranks()
        early = self.method.before_step(step)
        self.optimizer.step()
        decision = self.method.after_step(step) or early
        self.optimizer.zero_grad(set_to_none=True)
        self._laps.append(time.perf_counter() - started)
        self.step = step + 1
        events: list[Event] = [Step(step, value, learning_rate)]
        if decision is not None:
            events.append(self._rank_event(step, decision, decision_ranks))
        events += self._recordings(step, decision is not None)
        self.done = self.step >= config.steps
        if decision is not None and decision.chosen and self._checkpoint_due(step):
            events.append(self.checkpoint())
        if self.done:
            events += self._finish()
        return events

    def measured(self) -> dict[str, float]:
        """What is known of this machine and belongs to no event: `step_seconds`, the median time of a step of late, the
        method's own decisions in it, recording and evaluation not. Empty before the first step."""
        return {"step_seconds": statistics.median(self._laps)} if self._laps else {}

    def _checkpoint_due(self, step: int) -> bool:
        """Rank events are checkpointed, but a run of many steps with an interval of 1 must not fill the disk."""
        return self.folder is not None and step - self._last_checkpoint >= self.config.steps // MOST_CHECKPOINTS

    def _seed(self, seed: int) -> None:
        # Dropout and the like draw the same numbers for every method and after a resume. torch.manual_seed would also
        # queue a call, with a stack trace, for every kind of device that was never used.
        torch.default_generator.manual_seed(seed)
        if self.device.startswith("cuda"):
            torch.cuda.manual_seed(seed)
        elif self.device == "mps":
            torch.mps.manual_seed(seed)

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.config.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.partition(":")[0], torch.bfloat16)

    def _learning_rate(self, step: int) -> float:
        rising = self.config.lr_warmup
        if step < rising:
            return self.config.learning_rate * (step + 1) / (rising + 1)
        if self.config.lr_schedule == "constant":
            return self.config.learning_rate
        return self.config.learning_rate * (1 - (step - rising) / (self.config.steps - rising))

    def _rank_event(self, step: int, decision: RankDecision, before: np.ndarray[Any, Any]) -> RankEvent:
        return rank_event(
            step, decision, before=before, ranks=self.method.ranks(), parameters=self._parameters(),
            optimizer=self.optimizer,
        )  # fmt: skip

    def _recordings(self, step: int, allocated: bool) -> Iterable[Event]:
        config, last = self.config, step + 1 == self.config.steps
        if (step % config.scores_every == 0 or last) and not allocated:
            scores = self.method.scores()
            if scores is not None:
                yield Scores(step, scores)
        if allocated or (step + 1) % config.geometry_every == 0 or last:
            before = self.method.ranks().copy()
            singular, core = self.method.geometry()
            yield Geometry(step + 1, self.method.recorded_ranks(), singular, core)
            if METHODS[config.method].rank == "measured":
                yield measured_ranks(
                    step, before, self.method.ranks(), self._parameters(), optimizer_bytes(self.optimizer)
                )
        if (step + 1) % config.eval_every == 0 or last:
            yield self._evaluate(step + 1)

    @torch.no_grad()
    def _evaluate(self, steps_done: int) -> Evaluation:
        self.model.eval()
        with self._autocast():
            self.metrics = {name: float(value) for name, value in self.task.evaluate(self.model).items()}
        self.model.train()
        return Evaluation(steps_done, self.metrics)

    def _finish(self) -> list[Event]:
        events: list[Event] = []
        last = self.config.steps - 1
        if not self._baselines_known:
            with self._autocast():
                found = self.task.baselines()
            events += [Baseline(last, name, value) for name, value in found.items()]
        events += [Warned(last, code, message, advice) for code, message, advice in self._verdicts()]
        if self.folder is not None and self._last_checkpoint != last:
            events.append(self.checkpoint())
        return [*events, Finished(last, self.metrics)]

    def _verdicts(self) -> Iterable[tuple[str, str, str]]:
        """What went wrong with the allocation, seen from the end, if the schedule did not say so at the start."""
        if preview(self.config, len(self.matrices)).warnings:
            return
        spec = METHODS[self.config.method]
        total, target = int(self.method.ranks().sum()), self.config.reference_rank * len(self.matrices)
        if spec.allocation == "grows" and total < target:
            yield (
                "budget",
                f"the budget was not reached: total rank {total} of {target}",
                TO_REACH_IT,
            )
        if spec.allocation == "prunes" and total > target:
            yield (
                "budget",
                f"AdaLoRA kept total rank {total}, above the budget of {target}",
                TO_ENFORCE_IT,
            )

    # Checkpoints

    def checkpoint(self) -> Checkpointed:
        """Write the state after the last step done. Needs a folder."""
        assert self.folder is not None, "a run without a folder cannot be checkpointed"
        step = self.step - 1
        tensors: dict[str, torch.Tensor] = {f"model/{name}": p for name, p in self.trainable.items()}
        names: dict[torch.Tensor, str] = {parameter: name for name, parameter in self.trainable.items()}
        for parameter, state in self.optimizer.state.items():
            tensors.update({f"optimizer/{names[parameter]}/{key}": value for key, value in state.items()})
        method_tensors, extra = self.method.state()
        tensors.update({f"method/{name}": value for name, value in method_tensors.items()})
        name = checkpoint.checkpoint_name(step)
        state = {
            "step": step,
            "method": self.config.method,
            "extra": extra,
            "metrics": self.metrics,
            "baselines_known": self._baselines_known,
        }
        checkpoint.write(self.folder / "checkpoints" / name, tensors, state)
        self._last_checkpoint = step
        return Checkpointed(step, name)

    def _load(self, path: Path) -> None:
        tensors, state = checkpoint.read(path)
        method = state.get("method")
        if method != self.config.method:
            raise ValueError(f"{path.name}: a checkpoint of {method}, not of {self.config.method}")
        try:
            self._restore(tensors, state)
        except (KeyError, TypeError, ValueError, IndexError, RuntimeError) as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise ValueError(f"{path.name}: does not fit this run's configuration ({reason})") from error

    def _restore(self, tensors: dict[str, torch.Tensor], state: dict[str, Any]) -> None:
        self.method.restore_shapes(state["extra"])
        with torch.no_grad():
            for name, parameter in self.trainable.items():
                parameter.copy_(tensors[f"model/{name}"])
        for key, value in tensors.items():
            if key.startswith("optimizer/"):
                name, _, field = key.removeprefix("optimizer/").rpartition("/")
                parameter = self.trainable[name]
                value = value.clone() if field == "step" and self.device == "cpu" else value.to(self.device).clone()
                self.optimizer.state[parameter][field] = value
        prefix = "method/"
        own = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
        self.method.load_state(own, state["extra"])
        self.metrics = state["metrics"]
        self._baselines_known = state["baselines_known"]
        self._last_checkpoint = state["step"]
        self.step = state["step"] + 1
        self.done = self.step >= self.config.steps

    def stop(self, reason: str) -> list[Event]:
        """End the run here, to be resumed later."""
        events: list[Event] = []
        if self.folder is not None and self.step > 0:
            events.append(self.checkpoint())
        return [*events, Stopped(max(0, self.step - 1), reason)]
