"""Rank allocation beside a training loop that knows nothing of it."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from own_loop import STEPS, Loop, MakeOptimizer, base, batch, peft_config, schedule
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn

from triadapt import RankGrowth, TriAdaptLoraConfig, use_plain_loss
from triadapt.config import ConfigError

pytestmark = [
    # PEFT 0.21 still asks transformers 5 for an attribute by its old name, and takes a rank of 0 for a lost shard.
    pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:Adapter 'default'.*invalid shape"),
    # Nor does it know its own AdaLoRA's keys when it checks those of LoRA.
    pytest.mark.filterwarnings("ignore:The following rank_pattern keys did not match:RuntimeWarning"),
]

ADAPTIVE = pytest.mark.parametrize("method", ["triadaptlora", "increlora", "adalora"])
GROWING = pytest.mark.parametrize("method", ["triadaptlora", "increlora"])
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
def test_the_orthogonality_term_is_in_the_training_loss_and_not_in_that_of_evaluation(
    method: str, task_type: str | None
) -> None:
    plain = base().eval()(**batch(0)).loss
    model: Any = get_peft_model(base(), peft_config(method, task_type=task_type))
    growth = RankGrowth(model, torch.optim.SGD(model.parameters(), lr=0.1), **schedule(method))
    term = growth.regulariser()
    assert term is not None and float(term.detach()) > 0.05
    torch.testing.assert_close(model.train()(**batch(0)).loss, plain + term)
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


def test_closing_takes_the_hooks_off() -> None:
    loop = Loop("triadaptlora").train(10)
    loop.growth.close()
    ranks = dict(loop.growth.ranks)
    for step in range(20):
        loop.model(**batch(step)).loss.backward()
        loop.optimizer.step()
    assert loop.growth.ranks == ranks
    assert "rank_growth" not in loop.optimizer.state_dict()["param_groups"][0]


# What is refused, each with one line


def growth_over(model: Any, **given: Any) -> RankGrowth:
    parameters = [p for p in model.parameters() if p.requires_grad]
    return RankGrowth(model, torch.optim.SGD(parameters, lr=0.1), **(schedule("triadaptlora") | given))


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"warmup": STEPS}, "warmup = 40: not below steps = 40, so no rank event can ever fire; lower warmup"),
        ({"interval": 100}, "interval = 100: no multiple of it lies between warmup = 3 and steps = 40"),
        ({"interval": 0}, "interval = 0: input should be greater than or equal to 1"),
        ({"warmup": None}, "warmup: missing; give it in optimizer steps"),
        ({"growth": "cubic"}, "growth = 'cubic': input should be 'linear', 'non-linear' or 'fixed'"),
        ({"total_step": 0}, "steps = 0: input should be greater than or equal to 1"),
        ({"settings": {"inti": "eye"}}, "triadaptlora.inti: unknown field; did you mean init?"),
    ],
    ids=str,
)
def test_an_impossible_schedule_is_refused_before_training(given: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        growth_over(get_peft_model(base(), peft_config("triadaptlora")), **given)
    assert len(caught.value.lines) == 1 and caught.value.lines[0].startswith(line)


def test_a_budget_that_is_met_from_the_start_is_refused() -> None:
    model = get_peft_model(base(), peft_config("triadaptlora", init_r=3))
    with pytest.raises(
        ConfigError, match=r"reference_rank = 3: the budget of 24 ranks is not above the 24 .* raise it"
    ):
        growth_over(model)


@pytest.mark.parametrize(
    ("values", "given", "line"),
    [
        ({}, {"warmup": 3}, "warmup = 3: AdaLoRA takes it from tinit; leave it out here"),
        ({}, {"total_step": 50}, "total_step = 40: AdaLoRA's configuration plans for that many, but training has 50"),
        ({"init_r": 3}, {}, "init_r = 3: must be above target_r = 3; AdaLoRA starts wide and prunes"),
        ({"init_r": 2}, {}, "init_r = 2: must be above target_r = 3"),
        ({"tfinal": 0, "deltaT": 50}, {}, "interval = 50: no multiple of it lies between warmup = 4 and step 40"),
    ],
    ids=str,
)
def test_an_adalora_that_peft_would_crash_on_is_refused(
    values: dict[str, Any], given: dict[str, Any], line: str
) -> None:
    model: Any = get_peft_model(base(), peft_config("adalora", **values))
    with pytest.raises(ValueError) as caught:
        RankGrowth(model, torch.optim.SGD(model.parameters(), lr=0.1), **{"total_step": STEPS, **given})
    assert str(caught.value).startswith(line)


def test_other_models_adapters_and_optimizers_are_named() -> None:
    with pytest.raises(ValueError, match="model: a BertForSequenceClassification, not a PEFT model; wrap it"):
        growth_over(base())
    with pytest.raises(ValueError, match="peft_type = LORA: its rank never changes; adaptive methods are TriAdaptLoRA"):
        growth_over(get_peft_model(base(), LoraConfig(target_modules=["query"])))
    frozen = get_peft_model(base(), peft_config("triadaptlora", modules_to_save=["classifier"]))
    for name, parameter in frozen.named_parameters():
        parameter.requires_grad_("classifier" in name)
    with pytest.raises(ValueError, match=r"inference_mode: .*query.triadaptlora_A is frozen; .*is_trainable=True"):
        growth_over(frozen)
    model = get_peft_model(base(), peft_config("triadaptlora"))
    with pytest.raises(ValueError, match=r"optimizer: it does not hold .*query.triadaptlora_A; make it after"):
        RankGrowth(model, torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1), **schedule("triadaptlora"))


@ADAPTIVE
def test_a_matrix_that_the_loss_does_not_reach_is_named_at_the_first_step(method: str) -> None:
    class Unused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.spare = base(), nn.Linear(8, 8)
            self.config = self.inner.config

        def forward(self, **given: torch.Tensor) -> Any:
            return self.inner(**given)

    config = peft_config(method, target_modules=["query", "spare"], modules_to_save=None)
    model: Any = get_peft_model(Unused(), config)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    RankGrowth(model, optimizer, **schedule(method))
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    model(**batch(0)).loss.backward()
    with pytest.raises(
        ValueError, match=r"target_modules: spare got no gradient, .* leave it out with exclude_modules"
    ):
        optimizer.step()
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())


@ADAPTIVE
def test_scores_that_are_no_numbers_stop_training_with_the_matrix_named(method: str) -> None:
    loop = Loop(method).train(2)
    layer = next(iter(loop.growth._layers.values()))
    part = "triadaptlora_L" if method == "triadaptlora" else layer.adapter_layer_names[0]
    getattr(layer, part)["default"].data.fill_(math.nan)
    with pytest.raises(
        ValueError, match=r"the importance of .*query is nan at step \d+: .*lower learning_rate or alpha"
    ):
        loop.train(20)


def test_an_adapter_and_an_optimizer_of_different_checkpoints_are_refused(tmp_path: Path) -> None:
    loop = Loop("triadaptlora").train(8)
    loop.save(tmp_path)
    loop.train(20)
    loop.model.save_pretrained(str(tmp_path))
    with pytest.raises(
        ValueError, match=r"optimizer: its state is of a triadaptlora adapter of total rank \d+, the model"
    ):
        Loop("triadaptlora", loaded=tmp_path)


def test_the_configuration_of_the_tuner_decides_how_a_new_block_starts() -> None:
    model: Any = get_peft_model(base(), TriAdaptLoraConfig(target_modules=["query"], reference_rank=3, init="gaussian"))
    assert growth_over(model).config.method_settings.init == "gaussian"  # type: ignore[attr-defined]
