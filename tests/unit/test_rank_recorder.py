"""RankRecorder beside trainings that are not ours: what it writes is what happened, and the training never notices."""

from __future__ import annotations

import copy
import gc
import runpy
import sqlite3
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import train_with_trainer as script
from own_loop import ADAPTIVE, PEFT_WARNINGS, STEPS, Loop, base, batch, peft_config
from peft import get_peft_model
from transformers import Trainer

from triadapt import RankRecorder
from triadapt.events import Evaluation, Geometry, RankEvent, Scores, Started, Step
from triadapt.runs.library import config_of, list_runs
from triadapt.runs.reader import RunReader
from triadapt.runs.store import RunStore

pytestmark = [
    *PEFT_WARNINGS,
    # The Trainer asks for pinned memory where there is no accelerator.
    pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true:UserWarning"),
]


EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def recorded(runs: Path) -> tuple[Any, list[Any]]:
    (info,) = list_runs(runs)
    return info, [stamped.event for stamped in RunReader(runs / info.id).events()]


def of(events: list[Any], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


@ADAPTIVE
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_loop_of_ones_own_is_recorded_as_it_was_and_trains_as_if_alone(
    method: str, accumulate: int, tmp_path: Path
) -> None:
    alone = Loop(method).train(STEPS, accumulate=accumulate)
    loop = Loop(method)
    hooks = loop.hooks()
    with RankRecorder(loop.model, loop.optimizer, runs=tmp_path, name="mine") as recorder:
        loop.train(STEPS - 1, accumulate=accumulate)
        recorder.evaluation(accuracy=0.5, loss=0.25, runtime=3.0)
        loop.train(1, accumulate=accumulate)
    for name, weight in loop.weights().items():
        assert torch.equal(weight, alone.weights()[name]), name
    assert loop.hooks() == hooks
    info, events = recorded(tmp_path)
    assert (info.state, info.task, info.steps, info.last_step) == ("finished", "elsewhere", STEPS, STEPS - 1)
    assert info.name.endswith("mine") and not info.resumable and config_of(info).method == method
    (started,) = of(events, Started)
    assert [matrix.name for matrix in started.matrices] == [matrix.name for matrix in loop.growth.matrices]
    assert np.allclose([step.loss for step in of(events, Step)], loop.losses, atol=1e-6)
    allocations, ranks = loop.growth.allocations, of(events, RankEvent)
    assert [event.step for event in ranks] == [allocation.step for allocation in allocations] and len(ranks) > 3
    for event, allocation in zip(ranks, allocations, strict=True):
        assert event.chosen == list(allocation.decision.chosen)
        assert event.threshold == allocation.decision.threshold and event.rule == allocation.decision.rule
        assert np.array_equal(event.ranks, allocation.ranks) and np.array_equal(
            event.scores, allocation.decision.scores
        )
    assert np.array_equal(ranks[1].before, ranks[0].ranks)
    assert ranks[-1].trainable_parameters == loop.growth.run.parameter_count() + 16 * 3 + 3
    assert of(events, Scores) and of(events, Geometry)
    assert of(events, Evaluation)[0].metrics == {"accuracy": 0.5, "loss": 0.25}


@pytest.mark.parametrize("recorder_first", [False, True])
def test_a_trainer_is_recorded_with_one_more_callback(recorder_first: bool, tmp_path: Path) -> None:
    recorder = RankRecorder(runs=tmp_path / "runs", metric="loss")
    trainer, growing = script.trainer("triadaptlora", "adamw_torch", tmp_path, 40, eval_strategy="steps", eval_steps=20)
    if recorder_first:
        trainer.remove_callback(growing)
    trainer.add_callback(recorder)
    if recorder_first:
        trainer.add_callback(growing)
    trainer.train()
    info, events = recorded(tmp_path / "runs")
    assert info.state == "finished" and info.metric == "loss" and info.last_step == 39
    assert growing.growth is not None
    assert [event.step for event in of(events, RankEvent)] == [one.step for one in growing.growth.allocations]
    steps = of(events, Step)
    logs = [log["loss"] for log in trainer.state.log_history if "loss" in log]
    assert np.allclose(np.mean([step.loss for step in steps[:10]]), logs[0], atol=1e-4)
    assert steps[0].learning_rate == 0 and steps[5].learning_rate == pytest.approx(0.005)  # after a warm-up of 5
    assert info.config["learning_rate"] == 0.005 and info.config["batch_size"] == 8
    assert [event.step for event in of(events, Evaluation)] == [20, 40]


class AllocatesByItself:
    """A script that calls PEFT's method after each step, as PEFT's own examples do."""

    def __init__(self) -> None:
        self.model: Any = get_peft_model(base(), peft_config("adalora"))
        self.optimizer = torch.optim.AdamW([p for p in self.model.parameters() if p.requires_grad], lr=0.01)

    def train(self, spoilt: int = -1) -> AllocatesByItself:
        self.model.train()
        for step in range(STEPS):
            self.model(**batch(step)).loss.backward()
            if step == spoilt:
                next(p for n, p in self.model.named_parameters() if "lora_E" in n).grad.fill_(float("nan"))
            else:
                self.optimizer.step()
            self.model.base_model.update_and_allocate(global_step=step)
            self.optimizer.zero_grad()
        return self

    def kept(self) -> list[int]:
        layers = [module for module in self.model.modules() if hasattr(module, "lora_E") and len(module.lora_E)]
        return [int((layer.lora_E["default"] != 0).sum()) for layer in layers]


def test_adalora_of_a_script_that_allocates_by_itself_is_recorded(tmp_path: Path) -> None:
    alone = AllocatesByItself().train()
    script = AllocatesByItself()
    with RankRecorder(script.model, script.optimizer, runs=tmp_path):
        script.train()
    assert script.kept() == alone.kept()
    info, events = recorded(tmp_path)
    ranks = of(events, RankEvent)
    assert info.state == "finished" and len(ranks) > 3
    assert [event.step for event in ranks] == of(events, Started)[0].planned
    assert ranks[-1].ranks.tolist() == script.kept() and int(ranks[-1].ranks.sum()) == info.target_total_rank
    last = ranks[-1]
    assert sorted(last.unit_scores)[-last.allowed :] == sorted(last.unit_scores[last.unit_scores > last.threshold])


def test_the_loop_of_the_documents_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIADAPT_RUNS", str(tmp_path))
    runpy.run_path(str(EXAMPLES / "adalora_loop.py"))
    info, events = recorded(tmp_path)
    assert (
        info.state == "finished" and [event.step for event in of(events, RankEvent)] == of(events, Started)[0].planned
    )


def test_a_recording_that_fails_ends_with_one_warning_and_the_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = Loop("triadaptlora").train(STEPS)
    append = RunStore.append

    def full(self: RunStore, event: Any) -> None:
        if event.step >= 12:
            raise sqlite3.OperationalError("database or disk is full")
        append(self, event)

    monkeypatch.setattr(RunStore, "append", full)
    loop = Loop("triadaptlora")
    with (
        pytest.warns(UserWarning, match="the recording ends, the training goes on: database or disk is full"),
        RankRecorder(loop.model, loop.optimizer, runs=tmp_path),
    ):
        loop.train(STEPS)
    for name, weight in loop.weights().items():
        assert torch.equal(weight, alone.weights()[name]), name
    assert loop.hooks() == alone.hooks()
    assert recorded(tmp_path)[1]


@pytest.mark.filterwarnings("error")
def test_even_where_warnings_are_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    loop = Loop("triadaptlora")
    with RankRecorder(loop.model, loop.optimizer, runs=tmp_path):
        loop.train(3)
        monkeypatch.setattr(RunStore, "append", full)
        loop.train(8)
    assert loop.growth.step == 11


def test_gradients_that_are_no_numbers_reach_a_script_as_they_would_alone(tmp_path: Path) -> None:
    alone, script = AllocatesByItself().train(spoilt=8), AllocatesByItself()
    with RankRecorder(script.model, script.optimizer, runs=tmp_path):
        script.train(spoilt=8)
    assert script.kept() == alone.kept()


def test_a_model_that_is_watched_can_be_copied_and_saved(tmp_path: Path) -> None:
    loop = Loop("triadaptlora")
    with RankRecorder(loop.model, loop.optimizer, runs=tmp_path):
        loop.train(3)
        twin = copy.deepcopy(loop.model)
        for _ in range(3):
            twin(**batch(0))
        torch.save(loop.model, tmp_path / "model.pt")
        loop.train(1)
    _, events = recorded(tmp_path)
    assert np.allclose([step.loss for step in of(events, Step)], loop.losses, atol=1e-6)


def test_a_loss_whose_step_was_not_taken_is_not_in_the_next(tmp_path: Path) -> None:
    loop = Loop("triadaptlora")
    with RankRecorder(loop.model, loop.optimizer, runs=tmp_path):
        loop.train(1)
        loop.model(**batch(1)).loss.backward()  # as a gradient scaler does: no step
        loop.optimizer.zero_grad()
        loop.train(1)
    _, events = recorded(tmp_path)
    assert np.allclose([step.loss for step in of(events, Step)], loop.losses, atol=1e-6)


def test_the_loss_of_a_closure_is_that_before_the_update(tmp_path: Path) -> None:
    loop = Loop("triadaptlora")
    first = []
    with RankRecorder(loop.model, loop.optimizer, runs=tmp_path):
        loop.model.train()
        for step in range(3):

            def closure(step: int = step) -> torch.Tensor:
                loop.optimizer.zero_grad()
                loss: torch.Tensor = loop.model(**batch(step)).loss
                loss.backward()
                return loss

            first.append(float(loop.optimizer.step(closure).detach()))
            closure()
    _, events = recorded(tmp_path)
    assert np.allclose([step.loss for step in of(events, Step)], first, atol=1e-6)


def test_metrics_are_taken_as_libraries_give_them(tmp_path: Path) -> None:
    loop = Loop("triadaptlora")
    with RankRecorder(loop.model, loop.optimizer, runs=tmp_path) as recorder:
        loop.train(1)
        recorder.evaluation(accuracy=np.float32(0.5), f1=torch.tensor(0.25), matrix=[[1, 2]], loss=float("nan"))
    assert of(recorded(tmp_path)[1], Evaluation)[0].metrics == {"accuracy": 0.5, "f1": 0.25}


def test_a_training_that_died_before_its_first_step_leaves_nothing_behind(tmp_path: Path) -> None:
    trainer, _ = script.trainer("triadaptlora", "adamw_torch", tmp_path, 40)
    trainer.add_callback(RankRecorder(runs=tmp_path / "runs"))
    step, trainer.training_step = trainer.training_step, lambda *_, **__: 1 / 0
    with pytest.raises(ZeroDivisionError):
        trainer.train()
    trainer.training_step = step
    trainer.train()
    info, events = recorded(tmp_path / "runs")
    logged = [log["train_loss"] for log in trainer.state.log_history if "train_loss" in log]
    assert info.state == "finished"
    assert np.allclose(np.mean([one.loss for one in of(events, Step)]), logged, atol=1e-3)


def test_a_run_ends_with_the_recorder_that_nobody_holds_any_more(tmp_path: Path) -> None:
    loop: Any = Loop("triadaptlora")
    recorder: Any = RankRecorder(loop.model, loop.optimizer, runs=tmp_path)
    loop.train(2)
    model = weakref.ref(loop.model)
    del loop, recorder
    gc.collect()
    assert model() is None and recorded(tmp_path)[0].state == "stopped"


@pytest.mark.parametrize("method", ["triadaptlora", "increlora"])
def test_an_adapter_that_nothing_grows_is_not_recorded_and_said_so(method: str, tmp_path: Path) -> None:
    model: Any = get_peft_model(base(), peft_config(method))
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    with pytest.warns(UserWarning, match="add RankGrowthCallback"), RankRecorder(model, optimizer, runs=tmp_path):
        for step in range(3):
            model(**batch(step)).loss.backward()
            optimizer.step()
    assert list_runs(tmp_path) == []


def test_what_ends_a_training_early_stands_in_the_run(tmp_path: Path) -> None:
    loop = Loop("increlora")
    with (
        pytest.raises(RuntimeError, match="power cut"),
        RankRecorder(loop.model, loop.optimizer, runs=tmp_path),
    ):
        loop.train(5)
        raise RuntimeError("power cut")
    info, events = recorded(tmp_path)
    assert info.state == "stopped" and "power cut" in events[-1].reason


def test_a_loss_that_the_model_does_not_return_is_told(tmp_path: Path) -> None:
    loop = Loop("triadaptlora")
    with RankRecorder(loop.model, loop.optimizer, runs=tmp_path) as recorder:
        recorder.loss(3.5)
        loop.train(1)
        recorder.loss(torch.tensor(float("nan")))
        loop.train(1)
    _, events = recorded(tmp_path)
    assert [step.loss for step in of(events, Step)] == [3.5]
    assert any("the loss is nan" in getattr(event, "message", "") for event in events)


def test_only_the_first_process_records(tmp_path: Path) -> None:
    recorder = RankRecorder(runs=tmp_path)
    trainer, _ = script.trainer("triadaptlora", "adamw_torch", tmp_path / "out", 40)
    trainer.state.is_world_process_zero = False
    recorder.on_train_begin(
        trainer.args, trainer.state, trainer.control, model=trainer.model, optimizer=trainer.create_optimizer()
    )
    assert isinstance(trainer, Trainer) and list_runs(tmp_path) == []


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="scores_every = 0"):
        RankRecorder(scores_every=0)
    with pytest.raises(ValueError, match="give both"):
        RankRecorder(torch.nn.Linear(1, 1))
