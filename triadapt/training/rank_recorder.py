"""Watches a training that is not ours, and writes what ranks do into a run folder which the app shows."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from triadapt.events import Evaluation, Event, Scores
from triadapt.methods.interface import RankDecision
from triadapt.training.recorded_run import RecordedRun, end_of
from triadapt.training.recording_guard import never_breaks, warn_of_the_end
from triadapt.training.step_loss import StepLoss
from triadapt.training.watched_adapter import WatchedAdapter


class RankRecorder(TrainerCallback):  # type: ignore[misc]
    """Streams ranks, importance, thresholds, losses and evaluations of a training into a run folder, live.

    With a Trainer it is one more callback, after `RankGrowthCallback` or whoever calls AdaLoRA's `update_and_allocate`:

        trainer.add_callback(RankRecorder())

    In a loop of your own, after `RankGrowth` was made:

        with RankRecorder(model, optimizer) as recorder:
            for batch in batches: ...               # as before
                recorder.evaluation(accuracy=0.91)  # when there is one

    Then `streamlit run app.py`, or `make app`, over the same folder of runs shows it while it trains. The loss of a
    step is what the model returned as `loss` in training; a loop whose model returns none calls
    `recorder.loss(value)` before `optimizer.step()`. Under several processes only the first records.

    Nothing that goes wrong in it reaches the training: a recording that cannot go on ends with one warning.

    Args:
        model: a PEFT model with an adapter of TriAdaptLoRA, IncreLoRA or AdaLoRA; a Trainer brings its own.
        optimizer: the optimizer that trains it; a Trainer brings its own.
        runs: the folder of runs; default `$TRIADAPT_RUNS`, else `./runs`.
        name: what the run is called; default the name of the script.
        metric: name of the metric to show, without `eval_`; default the Trainer's `metric_for_best_model`, else the
            loss on held-out data.
        higher_is_better: of that metric; default the Trainer's `greater_is_better`, else true but for a loss.
        first_step: optimizer steps done before, in a loop that resumes AdaLoRA without `RankGrowth`.
        scores_every: steps between two recordings of the importance of all matrices.
        geometry_every: steps between two recordings of the singular values of dW, the dearest part.
    """

    def __init__(
        self,
        model: Any = None,
        optimizer: Any = None,
        *,
        runs: str | Path | None = None,
        name: str = "",
        metric: str = "",
        higher_is_better: bool | None = None,
        first_step: int = 0,
        scores_every: int = 10,
        geometry_every: int = 50,
    ) -> None:
        if (model is None) != (optimizer is None):
            raise ValueError("model, optimizer: give both for a loop of your own, or neither for a Trainer")
        if min(scores_every, geometry_every) < 1:
            raise ValueError(f"scores_every = {scores_every}, geometry_every = {geometry_every}: at least 1")
        self.runs, self.name = runs, name
        self.scores_every, self.geometry_every = scores_every, geometry_every
        self.folder: Path | None = None
        self._first_step, self._batch_size, self._share_factor = first_step, 0, 1
        self._asked = (metric, higher_is_better)
        self._spent: list[WatchedAdapter] = []
        self._begin_anew()
        if model is not None:
            self._attach(model, optimizer)

    def _begin_anew(self) -> None:
        self._adapter: WatchedAdapter | None = None
        self._run: RecordedRun | None = None
        self._over = False
        self._learning_rate = 0.0
        self._step_loss = StepLoss()
        self._metrics: dict[str, float] = {}
        self.metric, self.higher_is_better = self._asked

    def __enter__(self) -> RankRecorder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        self.close(f"{type(error).__name__}: {error}" if error is not None else "")

    # A loop of your own

    @never_breaks
    def loss(self, value: torch.Tensor | float) -> None:
        """The training loss of the step under way, where the model does not return it; call it once for each part of a
        batch that is accumulated."""
        self._step_loss.tell(value)

    @never_breaks
    def evaluation(self, metrics: Mapping[str, float] | None = None, **more: float) -> None:
        """Metrics on held-out data after the last step: `recorder.evaluation(accuracy=0.91, loss=0.3)`."""
        self._evaluated({**(metrics or {}), **more})

    def close(self, error: str = "") -> None:
        """The training has ended; `error`: by what, if not by itself. Every hook is off then."""
        self._close(error)
        for adapter in self._spent:
            adapter.release()
        self._spent.clear()

    @never_breaks
    def _close(self, error: str) -> None:
        if self._adapter is not None:
            self._adapter.look()
        if self._run is not None and self._adapter is not None:
            self._run.append(end_of(self._adapter.step, self._adapter.config.steps, self._metrics, error))
        self._end()

    # The Trainer

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Begin a run. A second training of the same Trainer is a run of its own."""
        if self._adapter is not None:
            self.close("another training began")
        self._begin_anew()
        best = str(args.metric_for_best_model or "").removeprefix("eval_")
        if not self.metric and best:
            self.metric = best
            if self.higher_is_better is None:
                self.higher_is_better = bool(args.greater_is_better)
        self._batch_size = args.train_batch_size * args.gradient_accumulation_steps * args.world_size
        # The Trainer multiplies by the number of processes outside of the model what it had divided among them.
        self._share_factor = args.world_size if getattr(args, "average_tokens_across_devices", False) else 1
        self._first_step = state.global_step
        self._attach(given["model"], given["optimizer"], state.is_world_process_zero)

    @never_breaks
    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Forget the loss of a step that a gradient scaler has skipped."""
        self._step_loss.forget()

    @never_breaks
    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl,
        logs: dict[str, Any] | None = None, **_: Any,
    ) -> None:  # fmt: skip
        """Where the model returns no loss, that of the Trainer's log stands for it."""
        if logs is None or "loss" not in logs or self._adapter is None or self._adapter.step == 0:
            return
        last = self._adapter.step - 1
        if self._run is not None and self._run.lacks_loss_of(last):
            self._run.loss(last, float(logs["loss"]), self._learning_rate)
            self._run.flush()

    @never_breaks
    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl,
        metrics: dict[str, Any] | None = None, **_: Any,
    ) -> None:  # fmt: skip
        """Record what the Trainer evaluated."""
        self._evaluated(metrics or {})

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """End the run."""
        self.close()

    # Recording

    @never_breaks
    def _attach(self, model: Any, optimizer: Any, is_first: bool | None = None) -> None:
        several = torch.distributed.is_available() and torch.distributed.is_initialized()
        if is_first is False or (several and torch.distributed.get_rank() != 0):
            self._over = True
            return
        self._adapter = WatchedAdapter(
            model, optimizer, on_loss=self._step_loss.see, on_step=self._stepped, on_decision=self._record,
            on_failure=self._give_up, before_step=self._step_loss.step_begins, first_step=self._first_step,
        )  # fmt: skip

    def _begin(self) -> RecordedRun:
        """The run folder, made at the first step, when all hooks are in place."""
        adapter = self._adapter
        assert adapter is not None
        metric = self.metric or "loss"
        higher = self.higher_is_better if self.higher_is_better is not None else "loss" not in metric
        self.folder = adapter.new_run(
            self.runs, self.name or Path(sys.argv[0]).name or "training", batch_size=self._batch_size,
            scores_every=self.scores_every, geometry_every=self.geometry_every,
        )  # fmt: skip
        self._run = RecordedRun(self.folder)
        self._run.begin(adapter.first_events(metric, higher))
        return self._run

    def _stepped(self, step: int, learning_rate: float) -> None:
        """After the optimizer's step `step`, and after the decision that was taken in it."""
        adapter, run = self._adapter, self._run or self._begin()
        assert adapter is not None
        self._learning_rate = learning_rate
        loss = self._step_loss.take(self._share_factor)
        if loss is not None:
            run.loss(step, loss, learning_rate)
        decision = adapter.decision()
        if decision is not None:
            self._record(decision)
        last = step + 1 == adapter.config.steps
        scores = adapter.scores() if decision is None and (step % self.scores_every == 0 or last) else None
        if scores is not None:
            run.append(Scores(step, scores))
        if decision is None and ((step + 1) % self.geometry_every == 0 or last):
            run.append(adapter.geometry(step + 1))
        run.flush_now_and_then()

    def _record(self, decision: RankDecision) -> None:
        assert self._adapter is not None
        self._append(self._adapter.rank_event(decision))
        self._append(self._adapter.geometry(self._adapter.step))

    def _evaluated(self, metrics: Mapping[str, Any]) -> None:
        adapter = self._adapter
        if adapter is None:
            return
        if self._run is None:  # before the first step
            self._begin()
        named = {str(name).removeprefix("eval_"): value for name, value in metrics.items()}
        numbers = {name: _number(value) for name, value in named.items() if not _about_speed(name)}
        self._metrics = {name: value for name, value in numbers.items() if value is not None and math.isfinite(value)}
        if self._metrics:
            self._append(Evaluation(adapter.step, self._metrics))

    def _append(self, event: Event) -> None:
        if self._run is not None:
            self._run.append(event)

    def _give_up(self, error: Exception) -> None:
        run, adapter = self._run, self._adapter
        self._end()
        if run is not None and adapter is not None:
            run.close_with(error, max(0, adapter.step - 1))
        warn_of_the_end(error)

    def _end(self) -> None:
        self._over = True
        adapter, run = self._adapter, self._run
        self._adapter = self._run = None
        if adapter is not None:
            adapter.release()
            self._spent.append(adapter)
        if run is not None:
            run.close()


def _number(value: Any) -> float | None:
    """A metric as a number; None for what is none."""
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        return None


def _about_speed(name: str) -> bool:
    return name in ("runtime", "epoch") or name.endswith("_per_second")
