"""AdaMSS freezes what its schedule says, and what is frozen stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bert_with_biases import bert_with_biases
from peft import AdamssConfig, PeftModel, get_peft_model

from triadapt import save_as_lora
from triadapt.config import ConfigError, RunConfig, parse_config
from triadapt.events import Event, RankEvent, Started, Warned
from triadapt.growth.preview import preview
from triadapt.training.session import Session
from triadapt.views.health import findings

# PEFT asks transformers 5 for an attribute by its old name.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
TINY = {"blocks": 1, "width": 16, "heads": 2, "tokens": 4, "pool": 64, "held_out": 16}


def config_of(**values: Any) -> RunConfig:
    own = {"method": "adamss", "steps": 40, "warmup": 4, "interval": 5, "planted": TINY, "weight_decay": 0.1}
    return parse_config({**own, **values})


def trained(session: Session, until: int) -> list[Event]:
    events = [] if session.step else session.open()
    while session.step < until:
        events += session.advance()
    return events


def rank_events(events: list[Event]) -> list[RankEvent]:
    return [event for event in events if isinstance(event, RankEvent)]


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"adamss": {"subspace_rank": 2}, "reference_rank": 3},
        {"adamss": {"subspaces": 4, "subspace_rank": 4}, "reference_rank": 4},
        {"adamss": {"final_share": 0.0, "schedule_exponent": 1.0}},
        {"adamss": {"subspaces": 16}, "reference_rank": 1},
        {"warmup": 5},
        {"interval": 1},
    ],
)
def test_a_run_freezes_when_and_as_much_as_its_preview_says(values: dict[str, Any]) -> None:
    config = config_of(**values)
    session = Session(config)
    seen = preview(config, len(session.matrices))
    events = trained(session, config.steps)
    fired = [event for event in rank_events(events) if event.rule == "budget"]
    assert [event.step for event in fired] == [row["step"] for row in seen.rows] and fired
    assert [event.allowed for event in fired] == [row["allowed"] for row in seen.rows]
    run: Any = session.method
    assert run.live.sum() == fired[-1].allowed
    held, told = [int(event.ranks.sum()) for event in fired], [row["total_rank"] for row in seen.rows]
    whole = run.settings.parameters(config, [matrix.shape for matrix in session.matrices])
    trained_at_first = sum(p.numel() for unit in run.units for p in run._pair(*unit))
    started = events[0]
    assert isinstance(started, Started) and started.target_total_rank == seen.target
    warned = [event for event in events if isinstance(event, Warned) and event.code == "adapter"]
    if run.settings.subspace_rank == 1:
        assert not warned
        assert held == told and held[-1] == seen.target == config.reference_rank * 6
        assert (started.start_total_rank, trained_at_first) == (seen.start, whole)
    else:  # k-means leaves a group smaller than its rank: what is told is the most there can be, and not far off
        assert all(0.6 * most <= has <= most for has, most in zip(held, told, strict=True))
        assert 0.6 * seen.start <= started.start_total_rank <= seen.start
        assert 0.6 * whole <= trained_at_first <= whole
        few = (run.unit_ranks < run.settings.subspace_rank).sum()
        assert f"k-means gave {few} of {len(run.units)} subspaces fewer outputs than that" in warned[0].message
        assert f"there are {started.start_total_rank} ranks, not {seen.start}, " in warned[0].message and few > 0
    live = sum(p.numel() for p in session.model.parameters() if p.requires_grad)
    assert run.parameter_count() == live < trained_at_first


WIDE = {**TINY, "width": 64}


@pytest.mark.parametrize(
    ("planted", "own", "line"),
    [
        (TINY, {"subspaces": 4, "subspace_rank": 6}, "adamss.subspace_rank = 6: must not be above 4, what each of 4"),
        (WIDE, {"subspaces": 64, "subspace_rank": 8}, "adamss.subspace_rank = 8: must not be above 1, what each of 64"),
        (TINY, {"subspaces": 17}, "adamss.subspaces = 17: must not be above 16, the outputs of the smallest adapted"),
        (WIDE, {"components": 2, "subspace_rank": 3}, "adamss.components = 2: must not be below adamss.subspace_rank "),
    ],
)
def test_ranks_that_a_matrix_cannot_give_are_one_line(planted: Any, own: dict[str, int], line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config_of(planted=planted, adamss=own)
    assert len(caught.value.lines) == 1 and caught.value.lines[0].startswith(line)


def test_ranks_that_a_matrix_cannot_give_are_refused_before_it_is_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triadapt.methods.adamss.settings.shapes_of", lambda config: None)  # a model not looked at yet
    with pytest.raises(ValueError, match=r"adamss\.subspace_rank = 6: must not be above 4, what each of 4 subspaces"):
        Session(config_of(adamss={"subspaces": 4, "subspace_rank": 6}))


@pytest.mark.parametrize("values", [
    {"adamss": {"adaptive": False, "subspace_rank": 2}}, {"reference_rank": 8},
    {"reference_rank": 10, "adamss": {"subspace_rank": 2}},
])  # fmt: skip
def test_what_freezes_nothing_aims_at_what_it_holds(values: dict[str, Any]) -> None:
    config = config_of(**values)
    session = Session(config)
    events = trained(session, config.steps)
    started = events[0]
    assert isinstance(started, Started) and not started.planned
    assert started.target_total_rank == started.start_total_rank == session.method.ranks().sum()
    assert "never_fired" not in [finding.code for finding in findings(events)]


def test_a_preview_of_what_is_left_goes_on_where_a_run_stands() -> None:
    config = config_of()
    whole = preview(config, 6)
    rest = preview(config, 6, after=whole.rows[2]["step"])
    assert rest.rows == whole.rows[3:]
    assert rest.start == whole.rows[2]["total_rank"]


def test_frozen_subspaces_stand_still_and_keep_no_state_in_the_optimizer() -> None:
    session = Session(config_of())
    trained(session, 32)
    run: Any = session.method
    frozen = [p for unit, live in zip(run.units, run.live, strict=True) if not live for p in run._pair(*unit)]
    before = [p.detach().clone() for p in frozen]
    assert frozen and all(p not in session.optimizer.state and p.abs().sum() > 0 for p in frozen[1::2])
    trained(session, 40)
    assert all(torch.equal(old, p) for old, p in zip(before, frozen, strict=True))
    # What is frozen stays part of dW, and of its singular values.
    assert run.recorded_ranks().tolist() == [5] * 6
    singular = run.geometry()[0].reshape(6, 5)
    for layer, values in zip(run.layers, singular, strict=True):
        full = torch.linalg.svdvals(layer.get_delta_weight("default").detach())[:5]
        np.testing.assert_allclose(values, full, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("at", [3, 12, 15, 16, 22])
def test_a_resumed_run_is_the_run_it_would_have_been(at: int, tmp_path: Path) -> None:
    straight = Session(config_of(), folder=tmp_path / "a")
    trained(straight, 40)
    first = Session(config_of(), folder=tmp_path / "b")
    trained(first, at)
    name = first.checkpoint().file
    again = Session(config_of(), folder=tmp_path / "b")
    again.open(resume=True, checkpoint_file=name)
    trained(again, 40)
    assert (again.method.live == straight.method.live).all()  # type: ignore[attr-defined]
    for name, parameter in straight.trainable.items():
        assert torch.equal(parameter, again.trainable[name]), name


def test_a_schedule_that_freezes_nothing_is_told() -> None:
    assert [p.code for p in preview(config_of(reference_rank=5), 6).problems] == ["nothing_to_freeze"]
    assert [p.code for p in preview(config_of(interval=35), 6).problems] == ["no_event"]
    assert not preview(config_of(adamss={"adaptive": False}), 6).rows
    with pytest.raises(ConfigError, match="warmup = 30: AdaMSS freezes nothing from step 30 on"):
        config_of(warmup=30)


@pytest.mark.parametrize("values", [{"reference_rank": 5}, {"interval": 35}, {"adamss": {"adaptive": False}}])
def test_a_run_without_freezing_trains_all_subspaces_to_the_end(values: dict[str, Any]) -> None:
    session = Session(config_of(**values))
    assert not rank_events(trained(session, 40))
    assert session.method.ranks().tolist() == [5] * 6


def test_components_are_those_of_the_smallest_matrix_at_most_a_hundred() -> None:
    settings: Any = config_of().method_settings
    assert settings.components_of([(16, 16), (32, 16)]) == 16
    assert settings.components_of([(768, 768), (3072, 768)]) == 100
    chosen: Any = config_of(adamss={"components": 12}).method_settings
    assert chosen.components_of([(16, 16)]) == 12


def test_the_mask_of_peft_itself_keeps_one_subspace_fewer_than_it_is_told() -> None:
    config = AdamssConfig(
        r=8, num_subspaces=3, use_asa=True, asa_target_subspaces=5, init_warmup=0, final_warmup=2, mask_interval=2,
        target_modules=["query", "value"],
    )  # fmt: skip
    model: Any = get_peft_model(bert_with_biases(), config)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.02)
    for step in range(3):
        model(input_ids=torch.arange(24).view(3, 8)).logits.pow(2).mean().backward()
        optimizer.step()
        model.base_model.update_and_allocate(step)
        optimizer.zero_grad()
    left = [p for name, p in model.named_parameters() if p.requires_grad and "adamss_A" in name]
    assert len(left) == 4


def test_the_plain_lora_export_moves_biases_as_adamss_does(tmp_path: Path) -> None:
    ids = torch.arange(24).view(3, 8)
    config = AdamssConfig(r=8, num_subspaces=3, target_modules=["query", "output.dense"])
    model: Any = get_peft_model(bert_with_biases(), config)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.02)
    for _ in range(4):
        model(input_ids=ids).logits.pow(2).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    save_as_lora(model, tmp_path)
    loaded = PeftModel.from_pretrained(bert_with_biases(), str(tmp_path))
    with torch.no_grad():
        expected = model.eval()(input_ids=ids).logits
        plain = bert_with_biases().eval()(input_ids=ids).logits
        torch.testing.assert_close(loaded.eval()(input_ids=ids).logits, expected, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(plain, expected, atol=1e-3)
    layer = next(m for m in model.modules() if hasattr(m, "get_delta_bias"))
    assert layer.get_delta_bias("default").abs().max() > 1e-4
