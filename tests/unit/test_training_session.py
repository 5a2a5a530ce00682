"""A run from its configuration to its last event."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tiny_runs import advance, finish, opened, tiny

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
    encode,
)  # fmt: skip
from triadapt.growth.preview import preview
from triadapt.methods.registry import METHODS
from triadapt.training import checkpoint
from triadapt.training.devices import choose_device
from triadapt.training.race import open_race
from triadapt.training.session import Session, TrainingError
from triadapt.training.train import train

ALL = pytest.mark.parametrize("method", METHODS)


def encoded(events: list[Event]) -> list[tuple[str, int, str, bytes]]:
    return [(event.kind, event.step, *encode(event)) for event in events if not isinstance(event, Checkpointed)]


@ALL
def test_a_repeated_run_gives_the_same_bytes(method: str) -> None:
    config = tiny(method)
    assert encoded(list(train(config))) == encoded(list(train(config)))


@ALL
def test_a_run_tells_its_story_in_order(method: str) -> None:
    events = list(train(tiny(method)))
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Finished)
    assert [event.step for event in events if isinstance(event, Step)] == list(range(40))
    assert [event.step for event in events if isinstance(event, Evaluation)] == [0, 10, 20, 30, 40]
    assert [event for event in events if isinstance(event, Baseline)] == [Baseline(0, "unadapted", 1.0)]
    assert not [event for event in events if isinstance(event, Warned)]
    rank_steps = [event.step for event in events if isinstance(event, RankEvent)]
    geometries = [event for event in events if isinstance(event, Geometry)]
    assert sorted({10, 20, 30, 40} | {step + 1 for step in rank_steps}) == [event.step for event in geometries]
    for geometry in geometries:
        assert len(geometry.singular) == geometry.ranks.sum()
    for event in events:
        if isinstance(event, Scores):
            assert event.step not in rank_steps
    started, last = events[0], geometries[-1]
    totals = (started.start_total_rank, started.target_total_rank)
    if METHODS[method].rank == "measured":
        assert totals == (0, 0) and last.ranks.sum() > 0
        return
    starts = {"grows": 6, "prunes": 24, "freezes": 30, "fixed": 18}
    assert totals == (starts[METHODS[method].allocation], 18)
    # What is frozen stays part of dW.
    assert last.ranks.sum() == (30 if METHODS[method].allocation == "freezes" else 18)


@ALL
def test_the_plan_is_what_happens_when_no_scores_tie(method: str) -> None:
    events = list(train(tiny(method)))
    assert isinstance(events[0], Started)
    fired = [event for event in events if isinstance(event, RankEvent) and event.rule != "measured"]
    assert events[0].planned == [event.step for event in fired]
    rows = preview(tiny(method)).rows
    assert [row["total_rank"] for row in rows] == [event.total_rank for event in fired]
    assert [row["allowed"] for row in rows] == [event.allowed for event in fired]


@pytest.mark.parametrize("values", [{"add_r": 2}, {"growth": "linear"}, {"growth": "fixed", "top_h": 4, "add_r": 3}])
@pytest.mark.parametrize("method", ["triadaptlora", "increlora"])
def test_the_plan_holds_for_larger_blocks_and_other_growth_too(method: str, values: dict[str, Any]) -> None:
    config = tiny(method, **values)
    events = list(train(config))
    fired = [event for event in events if isinstance(event, RankEvent)]
    assert [row["total_rank"] for row in preview(config).rows] == [event.total_rank for event in fired]
    assert max(event.total_rank for event in fired) <= 18


@ALL
def test_a_resumed_run_ends_bit_for_bit_where_an_unbroken_one_does(method: str, tmp_path: Path) -> None:
    config = tiny(method, weight_decay=0.01)
    unbroken = opened(config, tmp_path / "unbroken")
    advance(unbroken, 17)
    expected = encoded(finish(unbroken))

    broken = opened(config, tmp_path / "broken")
    advance(broken, 17)
    written, stopped = broken.stop("by request")
    assert isinstance(written, Checkpointed) and isinstance(stopped, Stopped)
    resumed = Session(config, folder=tmp_path / "broken")
    assert resumed.open(resume=True) == []
    assert resumed.step == 17
    assert encoded(finish(resumed)) == expected
    assert resumed.metrics == unbroken.metrics
    for name, parameter in unbroken.trainable.items():
        assert torch.equal(parameter, resumed.trainable[name]), name


@ALL
def test_a_run_can_be_resumed_from_every_checkpoint_it_wrote(method: str, tmp_path: Path) -> None:
    config = tiny(method)
    unbroken = opened(config, tmp_path)
    events = finish(unbroken)
    written = [event.file for event in events if isinstance(event, Checkpointed)]
    changed = {event.step for event in events if isinstance(event, RankEvent) and event.chosen}
    last = config.steps - 1  # so that the weights of a finished run are there to export
    assert written == [checkpoint.checkpoint_name(step) for step in sorted(changed | {last})]
    for file in written[:: max(1, len(written) // 3)]:
        resumed = Session(config, folder=tmp_path)
        resumed.open(resume=True, checkpoint_file=file)
        later = [event for event in events if isinstance(event, Step) and event.step >= resumed.step]
        again = [event for event in finish(resumed) if isinstance(event, Step)]
        assert again == later
        for name, parameter in unbroken.trainable.items():
            assert torch.equal(parameter, resumed.trainable[name]), name


def test_resuming_takes_the_newest_checkpoint_unless_told(tmp_path: Path) -> None:
    session = opened(tiny("triadaptlora"), tmp_path)
    files = [event.file for event in advance(session, 15) if isinstance(event, Checkpointed)]
    assert checkpoint.newest(tmp_path / "checkpoints") == tmp_path / "checkpoints" / files[-1]
    resumed = Session(session.config, folder=tmp_path)
    resumed.open(resume=True)
    assert checkpoint.checkpoint_name(resumed.step - 1) == files[-1]


def test_resuming_without_a_checkpoint_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no checkpoint to resume from"):
        Session(tiny("lora"), folder=tmp_path).open(resume=True)


@ALL
def test_a_diverging_run_names_the_learning_rate(method: str) -> None:
    session = opened(tiny(method, learning_rate=10))
    # The last layer norm keeps this network finite at any rate; a broken weight stands for what a deeper one would do.
    advance(session, 2)
    with torch.no_grad():
        next(p for name, p in session.trainable.items() if ".down." in name).fill_(math.nan)
    with pytest.raises(TrainingError, match=r"learning_rate = 10.0: the loss is nan at step 2, .* lower it"):
        session.advance()


def test_scores_that_are_no_numbers_name_the_learning_rate_too() -> None:
    session = opened(tiny("triadaptlora", warmup=0, interval=2))
    advance(session, 2)
    session.method.previous[0] = math.inf  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=r"importance of blocks.0.q is -inf at step 2: .* lower learning_rate"):
        session.advance()


def test_a_race_shares_one_task_and_gives_the_events_of_runs_of_their_own(tmp_path: Path) -> None:
    configs = [tiny(method, steps=12) for method in METHODS if method != "qlora"]  # whose task is wider here
    sessions = open_race(configs, [None] * len(configs))
    assert len({id(session.task) for session in sessions}) == 1
    raced: list[list[Event]] = [session.open() for session in sessions]
    for _ in range(12):
        for session, events in zip(sessions, raced, strict=True):
            events += session.advance()
    for config, events in zip(configs, raced, strict=True):
        assert encoded(events) == encoded(list(train(config)))


def test_runs_of_other_data_do_not_share_a_task() -> None:
    sessions = open_race([tiny("lora", seed=1), tiny("lora", seed=2)], [None, None])
    assert sessions[0].task is not sessions[1].task


@pytest.mark.parametrize("method", [method for method in METHODS if method != "qlora"])  # it rounds the weights first
def test_the_first_steps_see_the_same_data_whatever_the_method(method: str) -> None:
    first = opened(tiny(method)).advance()[0]
    plain = opened(tiny("lora")).advance()[0]
    assert isinstance(first, Step) and isinstance(plain, Step)
    assert first.loss == pytest.approx(plain.loss, abs=1e-6)


def test_a_budget_out_of_reach_is_told_at_the_start_and_not_again_at_the_end() -> None:
    events = list(train(tiny("triadaptlora", interval=30)))
    warned = [event for event in events if isinstance(event, Warned)]
    assert [event.step for event in warned] == [0]
    assert "budget of 18 is not reached" in warned[0].message


def test_a_budget_that_was_missed_by_surprise_is_told_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    session = opened(tiny("triadaptlora"))
    monkeypatch.setattr(session.method, "after_step", lambda step: None)
    warned = [event for event in finish(session) if isinstance(event, Warned)]
    assert [event.step for event in warned] == [39]
    assert "the budget was not reached: total rank 6 of 18" in warned[0].message


def test_a_reference_rank_above_the_smallest_matrix_is_refused() -> None:
    with pytest.raises(ValueError, match="reference_rank = 20"):
        tiny("lora", reference_rank=20)


def test_baselines_that_were_slow_to_find_come_at_the_end_after_a_resume_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny("lora", steps=8)
    session = Session(config, folder=tmp_path)
    monkeypatch.setattr(session.task, "cached_baselines", dict, raising=False)
    assert not [event for event in session.open() if isinstance(event, Baseline)]
    advance(session, 4)
    session.stop("by request")
    resumed = Session(config, folder=tmp_path)
    resumed.open(resume=True)
    assert [event for event in finish(resumed) if isinstance(event, Baseline)] == [Baseline(7, "unadapted", 1.0)]


def test_the_learning_rate_falls_linearly_or_stays() -> None:
    def rates(schedule: str) -> list[float]:
        events = train(tiny("lora", steps=10, learning_rate=0.01, lr_schedule=schedule))
        return [event.learning_rate for event in events if isinstance(event, Step)]

    assert rates("linear") == pytest.approx([0.01 * (1 - step / 10) for step in range(10)])
    assert rates("constant") == [0.01] * 10


@pytest.mark.parametrize("damage", ["cut", "empty", "junk", "no state", "state of a list", "without weights"])
def test_a_damaged_checkpoint_is_named_in_one_line(damage: str, tmp_path: Path) -> None:
    config = tiny("triadaptlora")
    session = opened(config, tmp_path)
    advance(session, 10)
    session.stop("by request")
    path = checkpoint.newest(tmp_path / "checkpoints")
    assert path is not None
    whole = path.read_bytes()
    tensors, state = checkpoint.read(path)
    if damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "junk":
        path.write_bytes(b"\xff" * 500)
    elif damage == "no state":
        save_file(tensors, path)
    elif damage == "state of a list":
        save_file(tensors, path, metadata={"state": "[]"})
    else:
        checkpoint.write(path, {name: t for name, t in tensors.items() if "model/" not in name}, state)
    with pytest.raises(ValueError, match=f"{path.name}: ") as caught:
        Session(config, folder=tmp_path).open(resume=True)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    session = opened(tiny("triadaptlora"), tmp_path)
    advance(session, 10)
    session.stop("by request")
    with pytest.raises(ValueError, match="a checkpoint of triadaptlora, not of lora"):
        Session(tiny("lora"), folder=tmp_path).open(resume=True)
    wider = tiny("triadaptlora", planted={"blocks": 1, "width": 32, "heads": 2, "tokens": 4, "pool": 64})
    with pytest.raises(ValueError, match=r"step-0000009.safetensors: does not fit"):
        Session(wider, folder=tmp_path).open(resume=True)
    deeper = tiny("triadaptlora", planted={"blocks": 2, "width": 16, "heads": 2, "tokens": 4, "pool": 64})
    with pytest.raises(ValueError, match=r"step-0000009.safetensors: does not fit"):
        Session(deeper, folder=tmp_path).open(resume=True)


def test_a_reader_never_sees_half_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / checkpoint.checkpoint_name(3)
    checkpoint.write(path, {"a": torch.ones(2)}, {"n": 1})

    def torn(*_: Any, **__: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(checkpoint, "save_file", torn)
    with pytest.raises(OSError, match="no space left"):
        checkpoint.write(path, {"a": torch.zeros(2)}, {"n": 2})
    tensors, state = checkpoint.read(path)
    assert state == {"n": 1} and torch.equal(tensors["a"], torch.ones(2))


@pytest.mark.parametrize("wanted", ["cuda", "cuda:3", "mps"])
def test_a_device_that_is_not_there_is_named_with_the_fix(wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match=f"device = '{wanted}': .*use auto"):
        choose_device(wanted)
    assert choose_device("auto") == "cpu"
