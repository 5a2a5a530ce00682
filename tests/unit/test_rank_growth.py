"""Rank allocation beside a training loop that knows nothing of it."""

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from accelerate import Accelerator
from own_loop import (
    ADAPTIVE,
    GROWING,
    PEFT_WARNINGS,
    STEPS,
    Loop,
    MakeOptimizer,
    base,
    batch,
    growth_over,
    peft_config,
    schedule,
)
from peft import PeftModel, get_peft_model
from torch import nn

from triadapt import RankGrowth, use_plain_loss

pytestmark = PEFT_WARNINGS

OPTIMIZERS: dict[str, MakeOptimizer] = {
    "AdamW": lambda ps: torch.optim.AdamW(ps, lr=0.01),
    "AdamW foreach": lambda ps: torch.optim.AdamW(ps, lr=0.01, foreach=True),
    "AdamW fused": lambda ps: torch.optim.AdamW(ps, lr=0.01, fused=True),
    "SGD with momentum": lambda ps: torch.optim.SGD(ps, lr=0.05, momentum=0.9),
    "RMSprop": lambda ps: torch.optim.RMSprop(ps, lr=0.003, momentum=0.5),
    "Adagrad": lambda ps: torch.optim.Adagrad(ps, lr=0.03),
    "Adafactor": lambda ps: torch.optim.Adafactor(ps, lr=0.03),
    "Adafactor of transformers": lambda ps: transformers.Adafactor(
        ps, lr=0.01, scale_parameter=False, relative_step=False, warmup_init=False
    ),
}


@ADAPTIVE
@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.filterwarnings("ignore:.*cannot be padded:UserWarning")
def test_an_ordinary_loop_reaches_the_budget_learns_and_resumes_bit_for_bit(
    method: str, make: MakeOptimizer, tmp_path: Path
) -> None:
    accumulate = 2 if make is OPTIMIZERS["AdamW"] else 1
    whole = Loop(method, make).train(STEPS, accumulate=accumulate)
    total = sum(whole.growth.ranks.values())
    assert total == 3 * len(whole.growth.matrices)
    assert len({*whole.growth.ranks.values()}) > 1
    assert all(math.isfinite(loss) for loss in whole.losses)
    assert sum(whole.losses[-10:]) < sum(whole.losses[:10])
    for parameter, state in whole.optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, torch.Tensor) and value.ndim and "Adafactor" not in type(whole.optimizer).__name__:
                assert value.shape == parameter.shape, name

    half = Loop(method, make).train(STEPS // 2, accumulate=accumulate)
    assert sum(half.growth.ranks.values()) != total or method == "increlora"
    half.save(tmp_path)
    resumed = Loop(method, make, loaded=tmp_path).train(STEPS // 2, accumulate=accumulate)
    assert resumed.growth.ranks == whole.growth.ranks
    for name, value in whole.weights().items():
        assert torch.equal(resumed.weights()[name], value), name


@GROWING
def test_growth_shows_in_the_allocations_and_keeps_every_parameter_the_same_object(method: str) -> None:
    seen: list[Any] = []
    loop = Loop(method, on_allocation=seen.append)
    before = {name: id(p) for name, p in loop.model.named_parameters()}
    start = dict(loop.growth.ranks)
    loop.train(STEPS)
    assert {name: id(p) for name, p in loop.model.named_parameters()} == before
    assert seen == loop.growth.allocations and len(seen) > 2
    assert [a.step for a in seen] == sorted({a.step for a in seen})
    assert all(a.step > 3 and a.step % 3 == 0 for a in seen)
    assert list(seen[-1].ranks) == list(loop.growth.ranks.values()) != list(start.values())


@pytest.mark.parametrize("options", [{"fused": True}, {"fused": False}], ids=["fused", "not fused"])
@GROWING
def test_a_step_that_the_gradient_scaler_skips_skips_growth(method: str, options: dict[str, bool]) -> None:
    """Every other backward pass overflows; what is left equals a training without overflow."""
    ends = []
    for overflow in (False, True):
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**14, growth_interval=10_000)
        loop = Loop(method, lambda ps: torch.optim.AdamW(ps, lr=0.01, **options), scaler=scaler)
        for step in range(STEPS):
            for attempt in range(1 + overflow):
                loss = scaler.scale(loop.model(**batch(step)).loss)
                (loss * math.inf if overflow and not attempt else loss).backward()
                ranks = loop.growth.ranks
                scaler.step(loop.optimizer)
                scaler.update(2.0**14)
                if overflow and not attempt:
                    assert loop.growth.ranks == ranks and loop.growth.step == step
                loop.optimizer.zero_grad()
        ends.append(loop)
    assert [(a.step, a.decision.chosen) for a in ends[0].growth.allocations] == [
        (a.step, a.decision.chosen) for a in ends[1].growth.allocations
    ]
    for name, value in ends[0].weights().items():
        torch.testing.assert_close(ends[1].weights()[name], value, rtol=1e-3, atol=1e-4)


def test_the_scores_of_increlora_do_not_depend_on_the_loss_scale() -> None:
    scores = []
    for scale in (1.0, 2.0**12):
        scaler = torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=10_000)
        loop = Loop("increlora", scaler=scaler)
        for step in range(3):
            scaler.scale(loop.model(**batch(step)).loss).backward()
            scaler.step(loop.optimizer)
            scaler.update()
            loop.optimizer.zero_grad()
        scores.append(torch.from_numpy(loop.growth.run.scores()))
    assert (scores[0] > 0).any()
    torch.testing.assert_close(*scores, rtol=1e-4, atol=0)


@pytest.mark.parametrize("task_type", [None, "SEQ_CLS"])
@pytest.mark.parametrize("method", ["increlora", "adalora"])
def test_the_orthogonality_term_is_in_no_loss_and_in_the_gradient_once_a_step(
    method: str, task_type: str | None
) -> None:
    """However many parts a batch comes in, and whoever computes the loss."""
    plain = base().eval()(**batch(0)).loss
    ends = []
    for parts in (1, 2, 4):
        model: Any = get_peft_model(base(), peft_config(method, task_type=task_type))
        for name, parameter in model.named_parameters():
            if "lora_" in name and parameter.requires_grad:
                nn.init.constant_(parameter, 0.1)
        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0)
        growth = RankGrowth(model, optimizer, **schedule(method))
        term = growth.run.regulariser()
        assert term is not None and float(term.detach()) > 0.05
        given = batch(0)
        for part in range(parts):
            rows = slice(part * 8 // parts, (part + 1) * 8 // parts)
            logits = model.train()(input_ids=given["input_ids"][rows]).logits
            (nn.functional.cross_entropy(logits, given["labels"][rows]) / parts).backward()
        optimizer.step()
        ends.append({name: p.detach() for name, p in model.named_parameters() if p.requires_grad})
    for other in ends[1:]:
        for name, value in ends[0].items():
            torch.testing.assert_close(other[name], value, rtol=1e-4, atol=1e-6)
    model = get_peft_model(base(), peft_config(method, task_type=task_type))
    RankGrowth(model, torch.optim.SGD(model.parameters(), lr=0.1), **schedule(method))
    torch.testing.assert_close(model.train()(**batch(0)).loss, plain)
    torch.testing.assert_close(model.eval()(**batch(0)).loss, plain)


def test_what_adalora_saves_in_between_is_whole_and_in_the_end_cut_to_the_ranks(tmp_path: Path) -> None:
    loop = Loop("adalora").train(STEPS - 5)
    loop.save(tmp_path / "between")
    assert loop.model.peft_config["default"].rank_pattern is None
    loop.train(5)
    loop.growth.close()
    ranks = list(loop.growth.ranks.values())
    loop.model.save_pretrained(str(tmp_path / "end"))
    loaded: Any = PeftModel.from_pretrained(base(), tmp_path / "end").eval()
    found = [layer.lora_A["default"].shape[0] for layer in loaded.modules() if hasattr(layer, "ranknum")]
    assert found == ranks and len(set(ranks)) > 1
    logits = loop.model.eval()(**batch(99)).logits
    torch.testing.assert_close(loaded(**batch(99)).logits, logits, rtol=1e-5, atol=1e-5)


def test_an_adalora_adapter_loaded_for_inference_gives_the_plain_loss(tmp_path: Path) -> None:
    model: Any = get_peft_model(base(), peft_config("adalora", task_type="SEQ_CLS"))
    model.save_pretrained(str(tmp_path))
    loaded: Any = PeftModel.from_pretrained(base(), tmp_path).eval()
    with pytest.raises(AttributeError, match="trainable_adapter_name"):  # PEFT's defect
        loaded(**batch(0))
    use_plain_loss(loaded)
    torch.testing.assert_close(loaded(**batch(0)).loss, base().eval()(**batch(0)).loss)


def test_an_evaluation_in_between_changes_nothing() -> None:
    plain, watched = Loop("increlora").train(STEPS), Loop("increlora")
    for _ in range(STEPS // 10):
        watched.train(10)
        watched.model.eval()
        watched.model(**batch(7))
        with torch.no_grad():
            watched.model(**batch(8))
    for name, value in plain.weights().items():
        assert torch.equal(watched.weights()[name], value), name


@ADAPTIVE
def test_closing_takes_every_hook_off(method: str, tmp_path: Path) -> None:
    loop = Loop(method).train(12)
    loop.growth.close()
    assert loop.hooks() == 0
    ranks = dict(loop.growth.ranks)
    for step in range(20):
        loop.model(**batch(step)).loss.backward()
        loop.optimizer.step()
        loop.optimizer.zero_grad()
    assert loop.growth.ranks == ranks
    assert "rank_growth" not in loop.optimizer.state_dict()["param_groups"][0]
    copied = copy.deepcopy(loop.model).eval()
    torch.testing.assert_close(copied(**batch(3)).logits, loop.model.eval()(**batch(3)).logits)
    torch.save(loop.model.merge_and_unload(), tmp_path / "merged.pt")


@ADAPTIVE
def test_the_state_is_in_what_is_saved_and_not_in_the_optimizer(method: str) -> None:
    loop = Loop(method).train(12)
    saved = loop.optimizer.state_dict()["param_groups"][0]["rank_growth"]
    assert saved["step"] == 12 and saved["config"]["method"] == method
    assert "rank_growth" not in loop.optimizer.param_groups[0]


@ADAPTIVE
def test_an_optimizer_that_accelerate_prepared_does_the_same(method: str) -> None:
    plain, prepared = Loop(method).train(20), Loop(method, prepare=Accelerator(cpu=True)).train(20)
    assert prepared.growth.ranks == plain.growth.ranks
    for name, value in plain.weights().items():
        assert torch.equal(prepared.weights()[name], value), name


@ADAPTIVE
def test_a_closure_does_the_same(method: str) -> None:
    plain, closed = Loop(method).train(20), Loop(method)
    closed.model.train()
    for step in range(20):

        def closure(step: int = step) -> torch.Tensor:
            closed.optimizer.zero_grad()
            loss: torch.Tensor = closed.model(**batch(step)).loss
            torch.autograd.backward(loss)
            return loss

        closed.optimizer.step(closure)  # type: ignore[arg-type]
        closed.scheduler.step()
    assert closed.growth.ranks == plain.growth.ranks
    for name, value in plain.weights().items():
        assert torch.equal(closed.weights()[name], value), name


def test_a_compiled_model_is_looked_into() -> None:
    model: Any = get_peft_model(base(), peft_config("triadaptlora"))
    growth = growth_over(torch.compile(model, backend="eager"))
    assert growth.run.model is model


def test_an_optimizer_that_worked_before_still_steps_new_entries_like_fresh_ones() -> None:
    loop = Loop("triadaptlora", lambda ps: torch.optim.AdamW(ps, lr=0.01, weight_decay=0.0))
    loop.growth.close()
    for step in range(300):
        loop.model(**batch(step)).loss.backward()
        loop.optimizer.step()
        loop.optimizer.zero_grad()
    for group in loop.optimizer.param_groups:
        group["lr"] = 0.01
    growth_over(loop.model, optimizer=loop.optimizer)
    for step in range(7):  # grows after step 6
        loop.model(**batch(step)).loss.backward()
        loop.optimizer.step()
        loop.optimizer.zero_grad()
    grown = next(p for n, p in loop.model.named_parameters() if "triadaptlora_B" in n and p.shape[1] > 1)
    assert not grown[:, 1:].any()
    loop.model(**batch(9)).loss.backward()
    loop.optimizer.step()
    assert 0.009 < float(grown[:, 1:].detach().abs().max()) < 0.0101
