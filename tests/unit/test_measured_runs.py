"""Runs without a rank of their own, learning rates of an adapter's own, and what is measured beside the events."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_runs import advance, finish, opened, tiny
from torch import nn

from triadapt.events import MEASURED, Geometry, RankEvent, Started, Warned
from triadapt.methods.effective_rank import effective_rank
from triadapt.methods.registry import METHODS
from triadapt.runs.library import new_race
from triadapt.runs.reader import RunReader
from triadapt.training.session import Session
from triadapt.views.health import Health
from triadapt.workers.lockstep import Lockstep
from triadapt.workers.sessions import open_sessions

WIDE = {"blocks": 1, "width": 64, "heads": 2, "tokens": 4, "pool": 64, "held_out": 16}
MEASURING = pytest.mark.parametrize("method", [name for name, spec in METHODS.items() if spec.rank == "measured"])


@MEASURING
def test_its_ranks_are_the_effective_ranks_of_dw_whenever_it_is_measured(method: str) -> None:
    session = Session(tiny(method))
    events = [*session.open(), *finish(session)]
    started = next(event for event in events if isinstance(event, Started))
    assert (started.rank_kind, started.start_total_rank, started.target_total_rank) == ("measured", 0, 0)
    told = [event for event in events if isinstance(event, RankEvent)]
    measured = [event.step for event in events if isinstance(event, Geometry)]
    assert [event.step + 1 for event in told] == measured == [10, 20, 30, 40]
    assert {event.rule for event in told} == {MEASURED} and not any(event.chosen for event in told)
    for before, after in pairwise(told):
        assert np.array_equal(before.ranks, after.before)
    run: Any = session.method
    dense = [layer.get_delta_weight("default").detach().double() for layer in run.layers]
    assert told[-1].ranks.tolist() == [effective_rank(torch.linalg.svdvals(delta).numpy()) for delta in dense]
    health = Health()
    health.add(events)
    assert health.findings() == []


@MEASURING
def test_a_resumed_run_measures_on_from_what_was_known(method: str, tmp_path: Path) -> None:
    straight = opened(tiny(method))
    advance(straight, 15)
    expected = finish(straight)
    stopped = opened(tiny(method), tmp_path)
    advance(stopped, 15)
    stopped.stop("a test")
    resumed = Session(tiny(method), folder=tmp_path)
    resumed.open(resume=True)
    found = finish(resumed)
    for left, right in zip(*([e for e in one if isinstance(e, RankEvent)] for one in (expected, found)), strict=True):
        assert left.step == right.step and np.array_equal(left.before, right.before)
        assert np.array_equal(left.ranks, right.ranks)


def test_an_adapter_learns_at_its_own_rate_and_a_head_at_that_of_the_run() -> None:
    session = opened(tiny("vera", vera={"lr_scale": 4.0}))
    advance(session, 1)
    [group] = session.optimizer.param_groups
    assert group["lr"] == pytest.approx(4 * session.config.learning_rate)
    head = nn.Parameter(torch.zeros(2))
    session.trainable["model.modules_to_save.default.weight"] = head
    inside, outside = session._groups([head])
    assert outside == {"params": [head], "lr_scale": 1.0}
    assert inside["lr_scale"] == 4.0 and all(p is not head for p in inside["params"])


def test_the_time_of_a_step_is_kept_beside_the_events(tmp_path: Path) -> None:
    race = new_race(tmp_path, [tiny("lora"), tiny("surm")])
    assert set(Lockstep(race.folders, open_sessions).run().values()) == {"finished"}
    for folder in race.folders:
        assert 0 < RunReader(folder).info().measured["step_seconds"] < 10


def test_what_is_frozen_is_counted_once_and_in_the_bytes_it_takes() -> None:
    session = Session(tiny("lora"))
    started = next(event for event in session.open() if isinstance(event, Started))
    base = sum(4 * p.numel() for p in session.task.build_model().parameters())
    assert started.frozen_bytes == base
    # VeRA's two random matrices serve all layers: 256 rows of the widest input, 256 columns of the widest output.
    shared = next(event for event in Session(tiny("vera")).open() if isinstance(event, Started))
    assert shared.frozen_bytes == base + 4 * 256 * (32 + 32)


def test_a_model_that_is_dear_to_measure_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(method: str, **values: Any) -> list[str]:
        opened = Session(tiny(method, **values)).open()
        return [event.advice for event in opened if isinstance(event, Warned) and event.code == "measuring"]

    assert told("surm") == []
    monkeypatch.setattr("triadapt.training.session.DEAR_TO_MEASURE", 1.0)
    assert told("surm") == ["Raise `geometry_every`."]
    assert told("surm", geometry_every=40) == told("lora") == []


@pytest.mark.parametrize("double_quant", [False, True])
def test_what_stands_beside_a_weight_in_four_bits_is_counted(double_quant: bool) -> None:
    pytest.importorskip("bitsandbytes", reason="bitsandbytes, the extra four-bit, is not installed")
    plain = Session(tiny("lora", planted=WIDE))
    started = next(event for event in plain.open() if isinstance(event, Started))
    config = tiny("qlora", planted=WIDE, qlora={"double_quant": double_quant})
    rounded = next(event for event in Session(config).open() if isinstance(event, Started))
    saved = 0
    for out, wide in (matrix.shape for matrix in plain.matrices):
        weights, blocks = out * wide, out * wide // 64
        scales = 4 * blocks if not double_quant else blocks + 4 * -(-blocks // 256) + 4 * 256 + 4  # offset, levels
        saved += 4 * weights - (weights // 2 + scales + 4 * 16)
    assert rounded.frozen_bytes == started.frozen_bytes - saved
