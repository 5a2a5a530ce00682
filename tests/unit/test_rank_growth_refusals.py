"""What rank growth beside somebody's training refuses, each with one line."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from own_loop import ADAPTIVE, PEFT_WARNINGS, STEPS, Loop, base, batch, growth_over, peft_config, schedule
from peft import AdamssConfig, LoraConfig, get_peft_model
from torch import nn

from triadapt import RankGrowth, TriAdaptLoraConfig
from triadapt.config import ConfigError

pytestmark = PEFT_WARNINGS


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"warmup": STEPS}, "warmup = 40: not below steps = 40, so no rank event can ever fire; lower warmup"),
        ({"interval": 100}, "interval = 100: no multiple of it lies between warmup = 3 and steps = 40"),
        ({"interval": 0}, "interval = 0: input should be greater than or equal to 1"),
        ({"warmup": None}, "warmup: missing; give it in optimizer steps"),
        ({"growth": "cubic"}, "growth = 'cubic': input should be 'linear', 'non-linear' or 'fixed'"),
        ({"total_step": 0}, "total_step = 0: must be at least 1"),
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
    adamss = get_peft_model(base(), AdamssConfig(r=8, num_subspaces=3, target_modules=["query"]))
    with pytest.raises(ValueError, match=r"peft_type = ADAMSS: only a run of triadapt's own .* freezes"):
        growth_over(adamss)
    frozen = get_peft_model(base(), peft_config("triadaptlora", modules_to_save=["classifier"]))
    for name, parameter in frozen.named_parameters():
        parameter.requires_grad_("classifier" in name)
    with pytest.raises(ValueError, match=r"query.triadaptlora_A is frozen: .*is_trainable=True"):
        growth_over(frozen)
    model = get_peft_model(base(), peft_config("triadaptlora"))
    with pytest.raises(ValueError, match=r"optimizer: it does not hold .*query.triadaptlora_A; make it after"):
        RankGrowth(model, torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1), **schedule("triadaptlora"))


class Unused(nn.Module):
    """A BERT with a layer that takes part in every `every`-th call, or never."""

    def __init__(self, every: int) -> None:
        super().__init__()
        self.inner, self.spare, self.every, self.calls = base(), nn.Linear(3, 3), every, 0
        self.config = self.inner.config

    def forward(self, **given: torch.Tensor) -> Any:
        outputs = self.inner(**given)
        self.calls += 1
        if self.every and self.calls % self.every == 0:
            outputs.loss = outputs.loss + self.spare(outputs.logits).pow(2).mean()
        return outputs


@ADAPTIVE
@pytest.mark.parametrize("every", [0, 2], ids=["never used", "used in every second step"])
def test_a_matrix_that_the_loss_never_reaches_is_named_at_the_first_event(method: str, every: int) -> None:
    small = {"init_r": 2, "target_r": 1} if method == "adalora" else {}
    config = peft_config(method, target_modules=["query", "spare"], modules_to_save=None, **small)
    model: Any = get_peft_model(Unused(every), config)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    growth = RankGrowth(model, optimizer, **schedule(method))

    def step() -> None:
        model(**batch(0)).loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    first = 8 if method == "adalora" else 6
    for _ in range(first):
        step()
    if every:
        step()
        assert growth.allocations
        return
    with pytest.raises(ValueError, match=r"target_modules: spare got no gradient up to the first rank event"):
        step()


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
    with pytest.raises(ValueError, match=r"optimizer: its state is of an adapter of total rank \d+, the model's"):
        Loop("triadaptlora", loaded=tmp_path)


def test_a_budget_that_will_be_missed_and_a_growth_without_its_state_are_warned_of(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"the budget of 24 is not reached: 1 events end at total rank"):
        growth_over(get_peft_model(base(), peft_config("triadaptlora")), interval=30)
    loop = Loop("triadaptlora").train(10)
    loop.growth.close()
    with pytest.warns(UserWarning, match=r"total rank \d+ where it began with 8, .* load the optimizer's state first"):
        growth_over(loop.model)


def test_another_schedule_on_resuming_is_refused(tmp_path: Path) -> None:
    Loop("triadaptlora").train(8).save(tmp_path)
    with pytest.raises(ConfigError, match="warmup = 5: the checkpoint was made with 3; resume with the same"):
        Loop("triadaptlora", loaded=tmp_path, warmup=5)


def test_two_on_one_optimizer_are_refused_and_a_failed_one_leaves_no_hook(tmp_path: Path) -> None:
    loop = Loop("triadaptlora")
    hooks = loop.hooks()
    with pytest.raises(ValueError, match=r"another RankGrowth is bound to it already; close\(\) that one first"):
        RankGrowth(loop.model, loop.optimizer, **schedule("triadaptlora"))
    assert loop.hooks() == hooks
    loop.growth.close()
    with pytest.raises(ConfigError):
        RankGrowth(loop.model, loop.optimizer, **(schedule("triadaptlora") | {"warmup": 99}))
    assert loop.hooks() == 0
    RankGrowth(loop.model, loop.optimizer, **schedule("triadaptlora"))


def test_an_adapter_on_several_devices_is_refused() -> None:
    model: Any = get_peft_model(base(), peft_config("triadaptlora"))
    next(iter(model.base_model.layers().values())).to("meta")
    with pytest.raises(ValueError, match="device_map: the adapter lies on cpu and meta; put the model on one device"):
        growth_over(model)


def test_the_configuration_of_the_tuner_decides_how_a_new_block_starts() -> None:
    model: Any = get_peft_model(base(), TriAdaptLoraConfig(target_modules=["query"], reference_rank=3, init="gaussian"))
    assert growth_over(model).config.method_settings.init == "gaussian"  # type: ignore[attr-defined]
